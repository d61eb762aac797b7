"""Whether an answer rests on the documents it was made from, and judges fairly (SPEC 10.2).

All but `stage.py` is pure: it is handed texts and gives values back. Nothing looks at a clock, a
file or a network, and every check is linear in its texts. The stage finds the documents
(`documents.py`), asks a judge model where `policy.py` names one, and writes findings down.

**Extractions** (`extraction.py`). Each field of a structured answer is looked for in the sources,
by what it is: names, titles, skills and degrees by their words, whatever the case, accents,
punctuation and short forms (`B.Sc.`, `Bachelor of Science`); dates in the ways people write them;
numbers by their values; telephone numbers by their digits. A date counts only beside the title,
company or degree that it is stated with, and a start date only as the start of a range: most
invented careers are made of dates that do stand in the resume, elsewhere. Scores, recommendations
and sums are not checkable and do not count. A field that no source has is unsupported; more
documents never make a supported field unsupported.

**Explanations** (`sentences.py`). Each sentence by the share of its words that the sources have,
and have together; its numbers, dates and names one by one. Overlap alone is weak on free
paraphrase, so that a sentence is *doubtful*, not wrong, and a judge model (`judge.py`) or a person
decides. Where it is known which document is the candidate's and which the job's, a skill that only
the job's has is no strength of the candidate.

**Bias** (`bias.py`). A protected attribute near a judgement, in four strengths, as far as it is
said of people and not of things (`bias_heads.py`). English; another language is another `Lexicon`
in `bias_words.py`. It finds what is said plainly: of 37 hard lines that were written after the
first rules it found 16 at first sight (0.43, 95 % interval 0.29 to 0.59), and it called 4 of 30
fair ones biased; of 56 others, written after the rules for things, adverts and preferences by the
same hands, 47 (0.84, 0.72 to 0.91; the rules before them 31), with 5 of 62 fair ones (0.08, 0.035
to 0.175; 5 before). Its silence proves nothing. `counterfactual.py` asks the other way round, for
evaluation runs: the same prompt with another name, and whether the decision changes.

Nothing here needs more than a few seconds of CPU for a megabyte of hostile text; an answer about a
source of 10K tokens takes about 10 ms, one of 10K tokens itself (a thousand fields) 30 ms: no work
for the event loop.

`python -m bench.accuracy_output` puts faults of 23 kinds into made resumes' extractions and tells
how many are found, and how often a right field is called wrong. Those resumes and these rules were
written by the same hands: real documents will do worse.

What it cannot know: a fact that is true and stands in no source; a lie that stands in one; a right
word in a wrong field (a skill that is a hobby); prose that says the opposite of its source in the
source's own words.
"""
