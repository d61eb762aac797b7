"""Phrases by which a document tries to steer the model that reads it.

No list detects every attempt, and this one does not promise to: it makes the plain attempts
visible to a person. What really holds is that documents are delimited and answers are checked.
"""

import re
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text

_RULES: Final = tuple(
    Rule(f"injection.{place}", spot, re.compile(shape, re.IGNORECASE), before=140, after=140)
    for place, (spot, shape) in enumerate(
        (
            # forget what you were told
            (
                r"(?:ignore|disregard|forget|override|bypass|overlook|neglect|discard|"
                r"skip)[a-z]{0,3}\s[a-z ,']{0,40}"
                r"(?:instruct|prompt|rule|guideline|direct|command|polic|constraint|context|"
                r"criteria|everything|training|system|requirement)",
                r"\b(?:ignore|disregard|forget|override|bypass|overlook|neglect|discard|skip)\b"
                r"(?:(?: (?:all|any|every|each|of|the|your|my|our|these|those|previous|prior|"
                r"preceding|above|earlier|former|"
                r"initial|original|existing|current|other|system|safety|content|given|foregoing|"
                r"and)){1,7} "
                r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|"
                r"commands?|polic(?:y|ies)|constraints?|"
                r"context|criteria|messages?|training|programming|requirements?)|"
                r" (?:all|everything)(?: (?:of )?(?:that|the))?(?: (?:previous|above|before|"
                r"prior|you (?:were|have been) told))|"
                r" everything (?:above|before|previously|you))",
            ),
            (
                r"(?:new|updated|real|actual|revised|additional|secret|hidden|override|admin|"
                r"system) (?:instruction|system prompt|directive|command)s?(?: for you| below| "
                r"follow)?\s?:",
                r"\b(?:new|updated|real|actual|revised|secret|hidden|override|admin|system) "
                r"(?:instructions?|system prompt|directives?|commands?)"
                r"(?: for (?:you|the (?:ai|model|assistant|llm))| below| follow)?\s?:",
            ),
            # be somebody else
            (
                r"you (?:are|act|will act|must act|shall act) (?:now|as|like|no longer)|from "
                r"now on[, ]|pretend (?:to be|that you|you)|roleplay as|jailbr(?:eak|oken)|"
                r"developer mode|do anything now|\bdan mode",
                r"\byou are now (?:a|an|in|the|my|dan\b|no longer|free|unrestricted|going to)\b|"
                r"\byou are no longer (?:a|an|bound|restricted|required)|"
                r"\bfrom now on,? (?:you|act|respond|answer|ignore|treat|rate|always)|\bpretend "
                r"(?:to be|that you are|you are|you're) (?:a|an|the|not|in|my)?|"
                r"\bjailbr(?:eak|oken)\b.{0,20}\b(?:mode|prompt|you|now)|\b(?:enable|enter|"
                r"activate|switch to|in) (?:developer|debug|god|dan|admin|sudo) mode|\bdo "
                r"anything now\b|"
                r"\b(?:act|respond|behave) as (?:if you (?:are|were|have)|an? (?:unrestricted|"
                r"unfiltered|uncensored|evil))",
            ),
            # show me what you were told
            (
                r"(?:reveal|print|show|repeat|display|output|tell me|leak|disclose|give me|what "
                r"(?:is|are|was|were)|write out|copy|summari[sz]e)[a-z ]{0,30}(?:system|initial|"
                r"hidden|secret|original|your|above|developer|pre)[a-z \-]{0,20}(?:prompt|"
                r"instruction|message|rules|directive)",
                r"\b(?:reveal|print|show|repeat|display|output|tell me|leak|disclose|give me|"
                r"what (?:is|are|was|were)|write out|copy)\b"
                r"(?: (?:me|us|all|of|the|your|its|full|entire|exact|verbatim|text|to|"
                r"contents?)){0,6} "
                r"(?:(?:system|initial|hidden|secret|original|developer|internal|confidential)[ "
                r"\-]?(?:prompt|instructions?|messages?|rules|directives?)|(?:your|above|"
                r"preceding) (?:\w+ )?(?:prompt|instructions?|rules|directives?))",
            ),
            # words to the machine
            (
                r"(?:note|message|attention|instruction|hint|reminder|dear|hey|hello|hi|warning|"
                r"notice)s?[ ,:]{1,3}(?:to |for )?(?:the |any |all )?(?:ai|llm|chatgpt|gpt|"
                r"language model|model|assistant|bot|automated|ats|screening|recruiting|hiring|"
                r"parser|resume)",
                r"\b(?:note|message|attention|instructions?|hint|reminder|dear|notice)[ "
                r",:]{1,3}(?:to |for )?(?:the |any |all )?(?:ai|llms?|chatgpt|gpt|(?:large "
                r")?language models?|ai (?:model|assistant|system|recruiter|reviewer)|"
                r"automated (?:system|reviewer|screening|parser)|ats|screening (?:ai|system|"
                r"model|bot|tool|algorithm)|(?:resume|cv) (?:parser|screener|bot))\b(?! (?:team|"
                r"lead|engineer|research))",
            ),
            (
                r"if you (?:are|'re) (?:an? |the )?(?:ai|llm|large language|language model|"
                r"chatbot|bot|gpt|automated|machine|model)|as an? (?:ai|llm|language model)[a-z "
                r"]{0,20},? you|you are (?:an? |the )?(?:ai|llm|language model|grading|"
                r"evaluating|screening|rating|reviewing|reading)",
                r"\bif you(?: are|'re) (?:an? |the )?(?:ai\b|llm|large language|language model|"
                r"chatbot|bot\b|gpt|automated (?:system|reviewer))|"
                r"\bas an? (?:ai|llm|language model)(?: \w+){0,3},? you (?:must|should|will|"
                r"have to|need to|shall|are to)|"
                r"\byou are (?:grading|evaluating|screening|rating|reviewing) (?:a|an|this|the|"
                r"my) (?:resume|cv|candidate|application)",
            ),
            # the verdict asked for
            (
                r"(?:rate|score|rank|grade|mark|classify|label|evaluate|recommend|select|"
                r"shortlist|hire|approve|advance|accept|consider|assess|treat|report|"
                r"describe)[a-z ]{0,24}(?:candidate|applicant|resume|cv|me|application|profile|"
                r"person|him|her|them)[a-z ,\-]{0,30}(?:10|100|highest|maximum|top|best|perfect|"
                r"excellent|strong|qualified|ideal|hire|regardless|match|high|outstanding|"
                r"exceptional|no matter|first)",
                r"\b(?:rate|score|rank|grade|mark|classify|label|evaluate|assess|treat|report|"
                r"describe) (?:this|the|me|my|him|her)(?: (?:candidate|applicant|resume|cv|"
                r"application|profile|person))?(?: (?:as|with|a|an|the|at|to be|is|highly|"
                r"very)){1,4} "
                r"(?:10 ?/ ?10|100 ?(?:%|/ ?100|percent|points)|highest|maximum|top(?:[ -]\w+)?|"
                r"best|perfect|excellent|strong(?:ly|est)?|qualified|ideal|outstanding|"
                r"exceptional|high|hire|match|first)|"
                r"\b(?:recommend|shortlist|hire|approve|advance|select|accept) (?:this|the|"
                r"me)(?: (?:candidate|applicant|application|person))?(?: \w+){0,6} "
                r"(?:regardless|no matter|immediately|without (?:further )?(?:review|question)|"
                r"unconditionally|above all)|"
                r"\b(?:this|the) (?:candidate|applicant) (?:is|must be|should be) (?:the "
                r")?(?:(?:a )?perfect|ideal|best|top)[\w \-]{0,30}(?:must|should|need to) be "
                r"(?:hired|selected|recommended|shortlisted)",
            ),
            (
                r"(?:give|assign|award|return|output|respond with|answer with|set|always "
                r"(?:give|answer|return|say|respond|output))[a-z ]{0,40}(?:highest|maximum|"
                r"perfect|full|top|100|10/10|best)[a-z ]{0,12}(?:score|rating|rank|mark|grade|"
                r"match|recommendation)",
                r"\b(?:give|assign|award|return|output|respond with|answer with|set|grant)\b "
                r"(?:(?:me|this|the|him|her|it|them|a|an|my|candidate|applicant|resume|cv|"
                r"application|profile|to|with|score|of|as|match) ?){1,7}"
                r"(?:highest|maximum|perfect|full|top|100|10/10|best)(?: possible)? ?(?:overall "
                r"|match(?:ing)? )?(?:scores?|ratings?|ranks?|marks?|grades?|recommendations?|"
                r"matches|match)",
            ),
            (
                r"(?:do not|don't|never|without) (?:mention|reveal|tell|disclose|report|flag|"
                r"reject|say|note|list)[a-z ]{0,40}(?:instruction|prompt|this note|this message|"
                r"weakness|gap|negative|hidden|candidate|any concern|red flag)",
                r"\b(?:do not|don't|never) (?:mention|reveal|tell|disclose|report|flag|reject|"
                r"list) (?:\w+ ){0,5}(?:these instructions?|this (?:instruction|prompt|note|"
                r"message|text)|any (?:weakness(?:es)?|gaps?|negatives?|concerns?|red flags?)|"
                r"this candidate|the hidden)",
            ),
            # marks of a conversation's format, inside a text
            (
                r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|"
                r"begin_of_text)|\[/?inst\]|<</?sys>>|<(?:/|)(?:system|instructions?|admin)>|"
                r"\n\s{0,3}\#{2,4}\s{0,2}(?:system|instructions?|assistant)\s{0,2}:|"
                r"(?:^|\n)\s{0,3}(?:system|assistant)\s{0,2}:\s|(?:begin|end)[ _](?:system|"
                r"hidden)[ _](?:prompt|instructions?)|</?(?:document|untrusted|context|data|"
                r"resume|source)>",
                r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|"
                r"begin_of_text)\|?>?|\[/?INST\]|<</?SYS>>|</?(?:system|instructions?|admin)>|"
                r"(?:^|\n)\s{0,3}\#{2,4}\s{0,2}(?:system|instructions?|assistant)\s{0,2}:|"
                r"(?:^|\n)\s{0,3}(?:system|assistant)\s{0,2}:\s+(?:you|ignore|new|the|from)\b|"
                r"\b(?:begin|end)[ _](?:system|hidden)[ _](?:prompt|instructions?)|"
                r"</(?:document|untrusted|context|data|resume|source)>",
            ),
            # other languages, accents folded
            (
                r"(?:ignor|vergiss|missacht|olvid|oubli|dimentic|esquec|desconsider|descart|"
                r"negeer|vergeet|zignoruj)[a-z]{0,8}\s[a-z ,']{0,50}(?:instru|anweisung|vorgabe|"
                r"regel|regla|consigne|istruzion|prompt|indicacion|opdracht|polecen)",
                r"\b(?:ignorier\w*|vergiss|missachte\w*|ignora\w*|olvid[ae]\w*|descart[ae]\w*|"
                r"ignore[zrs]?|oublie[zrs]?|dimentica\w*|esque[cz]a\w*|desconsider[ea]\w*|"
                r"negeer|vergeet|zignoruj)\b[\w ,']{0,50}\b"
                r"(?:anweisung\w*|vorgaben?|regeln?|instruccion\w*|reglas?|indicacion\w*|"
                r"instructions?|consignes?|istruzion\w*|instrucoes|instrucao|regras?|prompts?|"
                r"instructies|opdracht\w*|polecen\w*)\b",
            ),
        )
    )
)


class PromptInjection:
    """Finds phrases that try to steer the model (`prompt_injection`)."""

    check = "prompt_injection"
    rules = _RULES

    def find(self, text: Text) -> list[Hit]:
        """Give the phrases in a text."""
        return once(
            [
                Hit("prompt_injection", *view.place(*match.span()), 0.7)
                for view in text.views
                for rule in self.rules
                for match in rule.matches(view)
            ]
        )
