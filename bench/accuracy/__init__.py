"""How well the checks of content tell right from wrong: `make accuracy DATA=folder`.

The data is external and stays so: nothing is trained on it, nothing of it is shipped, and any
folder with files of the same names and formats will do.

| file | a line is |
|---|---|
| sqli_attacks.txt | one SQL injection, also URL-encoded |
| sqli_lookalikes_benign.txt | harmless text that looks like SQL |
| job_sentences_benign.txt | a sentence of a job posting: nothing may be found in it |
| pii_synth.jsonl | `full_text`, `spans` of `entity_type`, `start_position`, `end_position` |
| profanity_terms.jsonl | `text`, `severity_description` |
| toxicity.jsonl | `text`, `is_toxic`: `Toxic` or `Not Toxic` |

A file that is missing is said to be, and its figures are null.
"""
