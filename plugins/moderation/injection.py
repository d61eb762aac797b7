"""Phrases by which a document tries to steer the model that reads it.

No list detects every attempt, and this one does not promise to: it makes the plain attempts
visible to a person. What really holds is that documents are delimited and answers are checked.
"""

import re
from typing import Final

from plugins.moderation.rules import Hit, Rule, once
from plugins.moderation.text import Text, plain

# Every way begins with a letter of its own, so that text in these scripts is searched quickly.
_IN_OTHER_SCRIPTS: Final = (
    # Chinese
    r"(?:忽略|忽視|忽视|无视|無視|忘记|忘掉|忘記|不要理会|不要遵守|不要遵循|别管)[^.!?\n]{0,16}"
    r"(?:指令|指示|提示|规则|規則|命令|要求|说明|說明|设定|設定|内容)|"
    # Japanese, Korean: what is to be ignored comes first
    r"(?:指示|命令|ルール|プロンプト|指令|設定|規則)[^.\n]{0,12}(?:無視|忘れ|破棄|従わな)|"
    r"(?:지시|명령|지침|규칙|프롬프트|설정)[^.\n]{0,14}(?:무시|잊어|잊고|따르지)|"
    # Russian, Ukrainian
    r"(?:Игнорируй|игнорируй|Проигнорируй|проигнорируй|Забудь|забудь|"
    r"обращай внимания|Ігноруй|ігноруй|Проігноруй|проігноруй)[^.\n]{0,50}"
    r"(?:инструкци|указани|правил|команд|сказан|промпт|інструкці|вказів)|"
    # Arabic, Hebrew, Persian
    r"(?:تجاهل|تجاهلوا|انسَ|انس)[^.\n]{0,40}(?:التعليمات|الأوامر|الاوامر|السابقة|القواعد)|"
    r"(?:התעלם|התעלמי|התעלמו|שכח)[^.\n]{0,40}(?:ההוראות|הוראות|ההנחיות|הכללים)|"
    r"(?:دستورات|دستورالعمل)[^.\n]{0,30}(?:نادیده)|"
    # Hindi, Greek, Thai
    r"(?:निर्देश|आदेश|नियम)[^.\n।]{0,20}(?:अनदेखा|नज़रअंदाज़|भूल|उपेक्षा)|"
    r"(?:Αγνόησε|αγνόησε|Αγνοήστε|αγνοήστε|Ξέχνα|ξέχνα|Ξεχάστε|ξεχάστε)[^.\n]{0,40}"
    r"(?:οδηγίες|εντολές|κανόνες)|"
    r"(?:เพิกเฉย|ละเว้น|ลืม|ไม่ต้องสนใจ)[^.\n]{0,20}(?:คำสั่ง|คำแนะนำ|กฎ)"
)
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
                # whoever warns of what stands in the document does not steer
                r"(?!(?: (?:all|any|every|each|other|the|of|such|and|commands|requests)){0,4} (?:"
                r"instructions?|prompts?|commands?|directives?) (?:(?:that|which) )?(?:\w+ ){0,3}"
                r"(?:in|inside|within|from|by|between) (?:(?:the|this|that|these|any|a|its|"
                r"candidate|applicant|user|uploaded|attached)(?:'s)? ){1,3}(?:documents?|resumes?|"
                r"cvs?|texts?|files?|inputs?|tags?|contents?|attachments?|answers?|candidates?|"
                r"applicants?|users?|delimiters?|quotes?)\b)"
                r"(?:(?: (?:all|any|every|each|of|the|your|my|our|these|those|previous|prior|"
                r"preceding|above|earlier|former|"
                r"initial|original|existing|current|other|system|safety|content|given|foregoing|"
                r"and)){1,7} "
                r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|"
                r"commands?|polic(?:y|ies)|constraints?|"
                r"context|criteria|messages?|training|programming|requirements?)|"
                r" (?:all|everything)(?: (?:of )?(?:that|the))?(?: (?:previous|above|before|"
                r"prior|you (?:were|have been|had been) (?:told|taught|given|instructed|asked)))|"
                r" everything (?:above|before|previously|you(?:'ve| were| have| had)?(?: been)? "
                r"(?:told|taught|given|instructed|asked|know[.,;:!]|learned[.,;:!])))",
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
                r"(?:developer|debug|god|dan|admin|sudo|maintenance|root) mode|do anything now",
                r"\byou are now (?:a|an|in|the|my|dan\b|no longer|free|unrestricted|going to)\b|"
                r"\byou are no longer (?:a|an|bound|restricted|required)|"
                r"\bfrom now on,? (?:you (?:are (?:an?|the|no longer|not|free|un\w+|in|"
                r"(?-i:[A-Z]{2,}))\b|"
                r"(?:must|will|shall|should|are to|have to|can|may|only|always) (?:only |always |"
                r"never |not )?(?:act|respond|answer|reply|ignore|obey|follow|pretend|say|output|"
                r"write|rate|score|approve|recommend|accept|speak|behave|treat|give)|act|respond|"
                r"answer|reply|obey|ignore|pretend|say|output)|(?:act|respond|answer|reply|ignore|"
                r"treat|rate|always|obey|pretend|output)\b)|\bpretend "
                r"(?:to be|that you are|you are|you're) (?:a|an|the|not|in|my)?|"
                r"\bjailbr(?:eak|oken)\b.{0,20}\b(?:mode|prompt|you|now)|"
                r"(?:(?:^|[.!?:;\n>])\s{0,3}|\b(?:now|please|must|are now in|"
                r"you are in) )(?:(?:enable|"
                r"enter|activate|switch to|go into|start) )?"
                r"(?:developer|debug|god|dan|admin|sudo|maintenance|root) mode\b(?: (?:enabled|"
                r"activated|on)\b|[.:!,;\n]| and\b|$)|\b(?:in|enable) (?:god|dan|sudo) mode|\bdo "
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
            (
                r"(?:text|words?|content|messages?|everything|lines?|sentences?)(?: that (?:is|are|"
                r"came|comes|was|were))? (?:above|before|preceding|prior)[^a-z]|"
                r"(?:above|preceding|prior|previous) (?:text|words|content|messages?)[^a-z]|"
                r"your (?:\w+ )?(?:instructions|prompt|rules) (?:verbatim|word for word)",
                r"\b(?:repeat|print|output|copy|reproduce|echo|recite|quote|write out|show(?: me)?|"
                r"translate|summari[sz]e|encode)\b (?:(?:all|every|the|whole|entire|full|exact|"
                r"of|back|"
                r"out|me|single) ){0,5}(?:(?<=all )|(?<=all the )|(?<=all of the )|(?<=entire )|"
                r"(?<=whole )|(?<=full )|(?<=exact )|(?<=every )|(?=everything))(?:(?:text|words?|"
                r"content|messages?|everything|lines?|sentences?)(?: that (?:is|are|came|comes|was|"
                r"were))? (?:above|before|preceding|prior)|(?:above|preceding|prior|previous) "
                r"(?:text|words|content|messages?))\b|"
                r"\byour (?:\w+ )?(?:instructions|prompt|rules) (?:verbatim|word for word)\b",
            ),
            # your rules are void
            (
                r"(?:instructions?|rules|guidelines|prompts?|restrictions|policies|directives?) "
                r"(?:no longer|do not|don't|does not|are|is|have been|has been|were) ",
                r"\b(?:your|all|any|these) (?:(?:your|the|previous|prior|above|earlier|old|"
                r"original|"
                r"existing|initial|system|safety|other|former) ){0,3}(?:instructions?|rules|"
                r"guidelines|prompts?|restrictions|policies|directives?) (?:(?:no longer|do not|"
                r"don't|does not) (?:apply|count|hold|matter|bind)|(?:are|is|have been|has been|"
                r"were) (?:now |hereby )?(?:void|cancel\w+|suspended|lifted|overrid\w+|revoked|"
                r"disabled|replaced|superseded|deleted|updated|null|obsolete))\b",
            ),
            # a task for whoever reads
            (
                r"(?:when|once|if|as soon as|before|after|while) you (?:\w+ )?(?:read|process|"
                r"parse|"
                r"analy|evaluat|summari|review|see|score|screen|reach|are reading|are processing|"
                r"are evaluating)",
                r"\b(?:when|once|if|as soon as|before|after|while) you (?:\w+ )?(?:read|process|"
                r"parse|analy[sz]e|evaluate|summari[sz]e|review|see|score|screen|reach|"
                r"are (?:reading|"
                r"processing|evaluating|reviewing|parsing))(?:ing)? this(?: (?:document|resume|"
                r"cv|text|"
                r"file|message|application|page|line|sentence|profile|candidate|applicant))?[,:]? "
                r"(?:then )?(?:please )?(?:you (?:must|have to|are to)\b|do not|don't|"
                r"always|never|include|output|append|respond|answer|say|reply|rate|score|rank|"
                r"grade|"
                r"recommend|ignore|print|reveal|execute|forward|return|list|set|mark|repeat|"
                r"approve|"
                r"(?:call|invoke|run|use|trigger) (?:the |a |your )?(?:\w+ )?(?:function|tool|"
                r"command|"
                r"script|api|plugin|\w{2,20}_\w{2,30}\b|\w{2,30}\())",
            ),
            (
                r"(?:call|invoke|run|use|trigger|execute) (?:the |a |your )?(?:function|tool|"
                r"command)s? "
                r"[\w`'\"]",
                r"\b(?:call|invoke|run|use|trigger|execute) (?:the |your )?(?:function|tool|"
                r"command)s? "
                r"[`'\"]?\w{2,30}[_.(][\w.()]{1,40}[`'\"]?,? (?:with|to|and|using|for)\b",
            ),
            # carry what was said elsewhere in an address
            (
                r"!\[[^\]]{0,80}\]\(\s?https?://[^)\s]{1,200}=(?:[\[{<$]|%7b|[a-z_]{4,40}\))|"
                r"(?:conversation|chat|history|context|prompts?|messages|answers|"
                r"secrets?)(?: so far)? "
                r"(?:in|into|to|onto|at the end of) [a-z' ]{1,30}(?:url|address|link|query|"
                r"parameter)",
                r"!\[[^\]\n]{0,80}\]\(\s?https?://[^)\s]{1,200}[?&]\w{1,24}="
                r"(?:[\[{<$]{1,2}[\w .\-]{3,60}|%7[bB]\w|(?-i:"
                r"(?:[A-Z]{1,12}_)?(?:CONVERSATION|CHAT|HISTORY|CONTEXT|PROMPT|DATA|SUMMARY|SECRET|"
                r"MESSAGE|TEXT|CONTENT|INSTRUCTION|ANSWER|RESUME|NAME|EMAIL)S?(?:_[A-Z]{1,12})?)\))|"
                r"\b(?:put|append|insert|encode|add|embed|place|"
                r"write)\b (?:\w+ ){0,4}(?:conversation|"
                r"chat|history|context|prompts?|messages|answers|secrets?)(?: so far)? (?:in|"
                r"into|to|"
                r"onto|at the end of) (?:(?:the|its|this|that|an?|image|image's|picture's) ){1,3}"
                r"(?:urls?|address|links?|query|parameters?)\b",
            ),
            # the document is said to be over
            (
                r"end of (?:the |this |your )?(?:resume|cv|document|application|input|context|file|"
                r"prompt|text|data|candidate|user|untrusted)",
                r"(?:^|[\n\-=*#<\[(`.>])\s{0,3}(?:this is the )?end of (?:the |this |"
                r"your )?(?:resume|cv|"
                r"document|application|input|context|file|prompt|text|data|candidate|user|"
                r"untrusted)"
                r"(?: (?:input|data|text|content|document|profile|"
                r"message))?[\s`\-=*\#>\]).:;\"']{1,24}"
                r"(?:now|new|next|then|begin|start|act|ignore|disregard|system|instructions?|you|"
                r"please|write|rate|score|answer|respond|output|assistant|admin)\b",
            ),
            # written where nobody sees it
            (r"\x86[^\x87]", r"\x86[^\x87]{1,400}\x87?"),
            # put together by whoever reads it: a = "..."; b = "..."; follow a + b
            (
                r"(?:follow|execute|obey|do|perform|carry out|apply|run|act on|comply with|answer)"
                r"(?: [a-z]{1,12}){0,3} [a-z_][a-z0-9_]{0,11} ?\+ ?[a-z_]",
                r"\w{1,12} ?[:=] ?(?P<q>['\"])[^'\"\n]{2,80}(?P=q).{0,20}?\w{1,12} ?[:=] ?(?P=q)"
                r"[^'\"\n]{2,80}(?P=q)[^\n]{0,80}?\b(?:follow|execute|obey|do|perform|carry out|"
                r"apply|"
                r"run|act on|comply with|answer)(?: [a-z]{1,12}){0,3} \w{1,12} ?\+ ?\w{1,12}",
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
                r"exceptional|no matter|first|pass|approv|accepted|success)",
                r"\b(?:rate|score|rank|grade|mark|classify|label|evaluate|assess|treat|report|"
                r"describe) (?:this|the|me|my|him|her)(?: (?:candidate|applicant|resume|cv|"
                r"application|profile|person))?(?: (?:as|with|a|an|the|at|to be|is|highly|"
                r"very)){1,4} "
                r"(?:10 ?/ ?10|100 ?(?:%|/ ?100|percent|points)|highest|maximum|top(?:[ -]\w+)?|"
                r"best|perfect|excellent|strong(?:ly|est)?|qualified|ideal|outstanding|"
                r"exceptional|high|hired?|match|first|passed|approved|accepted|successful)|"
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
                r"[\n>.!?\])]\s{0,5}(?:system|assistant|admin)(?: [a-z]{4,8})?\s{0,2}:\s|"
                r"(?:begin|end)[ _](?:system|"
                r"hidden)[ _](?:prompt|instructions?)|</?(?:document|untrusted|context|data|"
                r"resume|source)>",
                r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|"
                r"begin_of_text)\|?>?|\[/?INST\]|<</?SYS>>|</?(?:system|instructions?|admin)>|"
                r"(?:^|\n)\s{0,3}\#{2,4}\s{0,2}(?:system|instructions?|assistant)\s{0,2}:|"
                r"(?:^|\n)\s{0,3}(?:system|assistant)\s{0,2}:\s+(?:you|ignore|new|the|from)\b|"
                r"(?:^|[\n>.!?\])]\s{0,2})\s{0,3}(?-i:SYSTEM|ADMIN|ASSISTANT|System|Assistant)"
                r"(?: (?:note|message|prompt|notice|override))?\s{0,2}:\s+(?:you (?:must|are|"
                r"will|should)|"
                r"ignore|disregard|override|(?:this|the) (?:applicant|candidate|resume|cv|above|"
                r"user)|"
                r"set|rate|score|approve|recommend|grant|output|respond|always|do not)\b|"
                r"\b(?:begin|end)[ _](?:system|hidden)[ _](?:prompt|instructions?)|"
                r"</(?:document|untrusted|context|data|resume|source)>",
            ),
            # other languages, accents folded
            (
                r"(?:ignor|vergiss|missacht|olvid|oubli|dimentic|esquec|desconsider|descart|"
                r"negeer|vergeet|zignoruj)[a-z]{0,8}\s[a-z ,']{0,50}(?:instru|anweisung|vorgabe|"
                r"regel|regla|consigne|istruzion|prompt|indicacion|opdracht|polecen)",
                r"\b(?:ignorier\w*|vergiss|missachte\w*|ignora\w*|olvid[ae]\w*|descart[ae]\w*|"
                r"ignore[zrs]?(?= (?:toutes?|tous|les|tes|vos|mes|ces|des)\b)|oublie[zrs]?|"
                r"dimentica\w*|esque[cz]a\w*|desconsider[ea]\w*|"
                r"negeer|vergeet|zignoruj)\b[\w ,']{0,50}\b"
                r"(?:anweisung\w*|vorgaben?|regeln?|instruccion\w*|reglas?|indicacion\w*|"
                r"instructions?|consignes?|istruzion\w*|instrucoes|instrucao|regras?|prompts?|"
                r"instructies|opdracht\w*|polecen\w*)\b",
            ),
        )
    )
)


_OTHER_SCRIPTS: Final = Rule(
    "injection.other_scripts",
    r"[^?]\?{3}",  # each run of letters that have no byte in Latin-1
    re.compile(plain(_IN_OTHER_SCRIPTS)),
    before=5,
    after=160,
)


class PromptInjection:
    """Finds phrases that try to steer the model (`prompt_injection`)."""

    check = "prompt_injection"
    rules = (*_RULES, _OTHER_SCRIPTS)

    def find(self, text: Text) -> list[Hit]:
        """Give the phrases in a text."""
        return once(
            [
                Hit("prompt_injection", *view.place(*match.span()), 0.7)
                for view in text.views
                for rule in self.rules
                if rule.name in view.spots
                for match in rule.matches(view)
            ]
        )
