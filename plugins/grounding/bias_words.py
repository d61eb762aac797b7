"""Words by which bias in hiring shows, one `Lexicon` for each language. Data.

Attributes are those that the employment law of many countries protects: Title VII, the ADEA and the
ADA (eeoc.gov, "Who is protected from employment discrimination?"), directives 2000/78/EC,
2000/43/EC and 2006/54/EC, and for union membership 29 U.S.C. 158(a)(3). The proxies are those that
rulings and studies of job advertisements name: "digital native", "recent graduate", "culture fit".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Attribute(StrEnum):
    """What must not count in a decision about a person."""

    AGE = "age"
    SEX = "sex"
    PARENTHOOD = "parenthood"
    ORIGIN = "origin"
    RELIGION = "religion"
    DISABILITY = "disability"
    ORIENTATION = "orientation"
    MARITAL = "marital_status"
    UNION = "union"


Words = Mapping[Attribute, str]
"""Phrases by attribute, apart by `|`."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What one language says it with. All lower case, apart by `|`, without punctuation.

    Args:
        people: says it of a person.
        ambiguous: does so only before a word of `persons`, or behind one of `being`.
        deeds: places and deeds that tell of it and judge nobody; they count only as a cause.
        direct: a prejudice by itself.
        proxies: often stands for it, and often does not.
        judgements: words of suitability and decision.
        harsh: those of them that speak against somebody.
        refusals: those of these that decide; they count beyond a semicolon too.
        causes: joins a reason to what follows from it.
        equal: an equal-opportunity statement; the sentence is left alone.
        not_counted: says that it did not count; likewise, unless it says so of people.
        lawful: what may be asked for; what it covers is left alone.
        persons: nouns for people.
        personal: nouns for what is a person's own.
        being: words before an adjective that is said of somebody.
        bodies: nouns that take the attribute away from a person: a women's *clinic*.
        groups: people together; their age is a reason and no more.
        things: nouns of what is no people's: a female *plug*, an old *program*.
        describing: adjectives that are said of people and of things alike.
        asks: asks for people; counts right before whom it asks for.
        natures: lays something into people's nature; counts right behind them.
        traits: what is said of a kind of people; counts only where that is the reason.
        breaks: words at which a new clause begins.
    """

    people: Words
    ambiguous: Words
    deeds: Words
    direct: Words
    proxies: Words
    judgements: str
    harsh: str
    refusals: str
    causes: str
    equal: str
    not_counted: str
    lawful: str
    persons: str
    personal: str
    being: str
    bodies: str
    groups: str
    things: str
    describing: str
    asks: str
    natures: str
    traits: str
    breaks: str


ENGLISH: Final = Lexicon(
    people={
        Attribute.AGE: "age|aged|ages|elderly|older|young|younger|youth|youthful|ageing|aging|"
        "middle aged|senior citizen|retirement|retire|retiring|baby boomer|boomer|millennial|"
        "gen z|gen x|fifties|sixties|forties|twenties|teenager|late fifties|late forties",
        Attribute.SEX: "woman|women|female|females|man|men|male|males|girl|girls|boy|boys|lady|"
        "ladies|gentleman|gentlemen|guy|guys|gender|sex|feminine|masculine|nonbinary|non binary",
        Attribute.PARENTHOOD: "pregnant|pregnancy|maternity leave|paternity leave|parental leave|"
        "maternity|mother|mothers|father|mom|mum|motherhood|mothering|fatherhood|parent|"
        "her children|his children|their children|has children|have children|having children|"
        "two children|three children|four children|small children|has kids|her kids|his kids|"
        "candidates with children|applicants with children|women with children|"
        "people with children|men with children|toddler|newborn|baby|breastfeeding|childless|"
        "young family|start a family|"
        "family responsibilities|family duties|caregiver|caring responsibilities",
        Attribute.ORIGIN: "ethnicity|ethnic|race|racial|nationality|immigrant|immigrants|migrant|"
        "foreigner|foreigners|foreign born|refugee|asian|african|hispanic|latino|latina|"
        "latinos|latinas|arab|arabs|asians|africans|foreign national|foreign nationals|"
        "romani|gypsy|gypsies|roma|caucasian|born abroad|arabic name|arabic names|"
        "african name|african names|foreign names|african american|skin color|skin colour|"
        "national origin|"
        "country of origin|ethnic background|migration background|foreign accent|accent|"
        "foreign name|foreign sounding name|third world|germans|americans|indians|mexicans|"
        "russians|turks|italians|nigerians|pakistanis|syrians|afghans|romanians|bulgarians|"
        "ukrainians|iranians|greeks|brazilians|filipinos|spaniards|frenchmen",
        Attribute.RELIGION: "muslim|muslims|jewish|jew|jews|christians|hindus|hindu|sikh|"
        "buddhist|catholic|protestant|mormon|atheist|religion|religious|faith|hijab|headscarf|"
        "turban|yarmulke|kippah|islam|islamic|ramadan|sabbath|prays|prayer|prayers|"
        "jehovah's witness",
        Attribute.DISABILITY: "disabled|disability|disabilities|handicap|handicapped|wheelchair|"
        "deaf|autistic|autism|adhd|epilepsy|epileptic|dyslexia|dyslexic|bipolar|mental illness|"
        "mentally ill|mental health|chronic illness|chronically ill|has cancer|had cancer|"
        "her cancer|his cancer|cancer survivor|cancer treatment|hiv|stutter|stammer|"
        "hearing impaired|visually impaired|hearing loss|impairment|diabetic|depression|"
        "anxiety disorder|parkinson's|multiple sclerosis|ptsd|tourette's|schizophrenia|"
        "blind|medical condition|health condition|prosthesis|prosthetic",
        Attribute.ORIENTATION: "gay|lesbian|homosexual|bisexual|transgender|trans|transsexual|"
        "queer|lgbt|lgbtq|sexual orientation|same sex|his husband|her wife|trans woman|trans man|"
        "gender identity",
        Attribute.MARITAL: "married|unmarried|divorced|divorcee|divorce|widowed|widow|marital|"
        "spouse|newlywed|single mother|single mom|single father|single parent|wife|husband",
        Attribute.UNION: "trade union|labor union|labour union|union member|union membership|"
        "union activist|union activism|union activity|union activities|union organizer|"
        "union organiser|union rep|unionized|unionised|unionist|works council",
    },
    ambiguous={
        Attribute.ORIGIN: "black|white|brown|german|french|spanish|italian|english|british|"
        "american|polish|turkish|chinese|indian|japanese|korean|russian|mexican|nigerian|"
        "pakistani|syrian|afghan|romanian|bulgarian|vietnamese|filipino|brazilian|ukrainian|"
        "iranian|greek|portuguese|indigenous|native|colored|coloured",
        Attribute.RELIGION: "christian|orthodox|evangelical",
        Attribute.AGE: "old|junior",
        Attribute.MARITAL: "single",
    },
    deeds={
        Attribute.RELIGION: "mosque|church|synagogue|temple|parish|ministry|bible|quran|torah|"
        "gurdwara|seminary|chapel|congregation|missionary|madrasa",
        Attribute.DISABILITY: "cancer|diabetes|paralympic|paralympics|special olympics|"
        "rehabilitation",
        Attribute.PARENTHOOD: "children|kids|childcare|kindergarten|playgroup",
        Attribute.ORIENTATION: "pride parade|pride march|pride network",
        Attribute.SEX: "women's|men's",
        Attribute.UNION: "shop steward|strike|picket",
        Attribute.ORIGIN: "diaspora|cultural association",
    },
    direct={
        Attribute.AGE: "too old|too young|over the hill|past his prime|past her prime|"
        "past their prime|too close to retirement|set in his ways|set in her ways|"
        "set in their ways|at his age|at her age|at their age|for his age|for her age|"
        "for someone his age|for someone her age|old dog|fresh blood|younger candidate|"
        "younger candidates|younger applicant|younger applicants|younger person|someone younger|"
        "prefer someone young|old fashioned because|not getting any younger|nearing retirement|"
        "close to retirement age|will retire soon|would retire soon|age limit|maximum age",
        Attribute.SEX: "for a woman|for a girl|for a female|as a woman she|as a man he|"
        "like a woman|man's job|woman's job|male candidate preferred|female candidate preferred|"
        "males preferred|females preferred|men only|women only|male only|female only|males only|"
        "females only|prefer a man|prefer a male|prefer a woman|prefer a female|needs a man|"
        "need a man|wants a man|rather hire a man|rather have a man|too emotional for a|"
        "women are|men are better|women cannot|women tend|women lack|men tend|pretty girl|"
        "attractive young|bossy woman",
        Attribute.PARENTHOOD: "may become pregnant|might become pregnant|may get pregnant|"
        "might get pregnant|will get pregnant|could get pregnant|likely to get pregnant|"
        "will have children soon|may have children soon|might have children soon|plans to have "
        "children|wants to have children|of childbearing age|child bearing age|childbearing age|"
        "go on maternity leave soon|working mothers are|mothers are|should be at home with|"
        "will want a baby|distracted by her children|distracted by his children|"
        "too many kids|too many children|want kids|want children|distracted by her kids|"
        "distracted by their children",
        Attribute.ORIGIN: "not a native name|go back to|these people are|those people are|"
        "people from there|not american enough|not one of us|people like that|unpronounceable name|"
        "name sounds foreign|foreign sounding|name suggests|no foreigners|no immigrants|"
        "locals only|nationals only|citizens only because",
        Attribute.RELIGION: "religious grounds|no muslims|no jews|no headscarf|"
        "remove her headscarf|take off her headscarf|too religious|no hijab",
        Attribute.DISABILITY: "no disabled|able bodied|ablebodied|wheelchair bound|confined to a "
        "wheelchair|crippled|cripple|mentally unstable|not physically normal",
        Attribute.ORIENTATION: "gay lifestyle|homosexual lifestyle|too gay|not normal orientation",
        Attribute.MARITAL: "will follow her husband|will follow his wife|her husband may|"
        "her husband will|husband earns|single and therefore|unmarried and therefore",
        Attribute.UNION: "union troublemaker|union agitator|no union members|union free|"
        "would unionize|would unionise|might unionize|might unionise|will unionize|"
        "organize a union|organise a union",
    },
    proxies={
        Attribute.AGE: "digital native|digital natives|recent graduate|recent graduates|"
        "recent college graduate|recent college graduates|new grad|new grads|young and dynamic|"
        "young dynamic team|young team|young and energetic|high energy|energetic|overqualified|"
        "over qualified|fresh graduate|fresh graduates|youthful energy|tech savvy generation|"
        "long in the tooth|old school",
        Attribute.SEX: "aggressive|rockstar|rock star|ninja|salesman|chairman|handyman|"
        "manpower|waitress|stewardess|cleaning lady|girl friday|abrasive|bossy|shrill|"
        "natural leader",
        Attribute.ORIGIN: "culture fit|cultural fit|native speaker|native speakers|"
        "native english speaker|mother tongue level|clean shaven|polished appearance|"
        "urban background|inner city|good neighborhood|good neighbourhood|no accent|accent free|"
        "articulate for",
        Attribute.DISABILITY: "gap in health|sick days|sick leave|stamina|physically fit|"
        "perfect attendance|good health",
        Attribute.PARENTHOOD: "no family commitments|without family commitments|career gap|"
        "no strings attached|available around the clock|gap for family",
        Attribute.MARITAL: "settled lifestyle|stable home life|stable family life|maiden name",
    },
    judgements="suitable|suited|suitability|fit|fits|fitting|hire|hired|hiring|recommend|"
    "recommended|recommendation|prefer|preferred|preferable|preference|ideal|advance|shortlist|"
    "shortlisted|qualified|reliable|reliability|committed|commitment|cope|handle|perform|"
    "performance|capable|able|ability|competent|competence|flexible|flexibility|productive|"
    "productivity|potential|trustworthy|trust|dedicated|available|availability|score|rating|"
    "rank|ranked|select|selected|choose|chosen|proceed|offer|adapt|learn|keep up|strong candidate|"
    "good candidate|great candidate|stronger|better|best|match|leadership|authority|accepted|"
    "invited|interview|consider|considered|advantage|plus|should|would|decision|promote|"
    "right person|right candidate|right choice|right one|an asset|great asset|extra points|bonus|"
    "in favour|in favor|favoured|favored|favours|favors|deserve|deserves|"
    "strong yes|clear yes|definite yes|strong no|clear no|welcome addition",
    harsh="unsuitable|unsuited|unfit|misfit|reject|rejected|rejecting|rejection|decline|declined|"
    "unqualified|risk|risky|risks|concern|concerns|concerned|concerning|worry|worries|worried|"
    "doubt|doubts|doubtful|hesitate|hesitant|hesitation|unreliable|struggle|incapable|unable|"
    "incompetent|inflexible|unproductive|slow|weak|weaker|worse|worst|poor|lower|less|disqualify|"
    "disqualified|disqualifies|exclude|excluded|avoid|avoided|distracted|distraction|emotional|"
    "unstable|problem|problematic|burden|liability|drawback|disadvantage|negative|against|"
    "not a good fit|not fit|not suitable|not hire|not recommend|not be able|cannot|can't|won't|"
    "uncomfortable|uneasy|not go down well|not work out|rarely stay|disloyal|loyalty|"
    "defer|not recommended|not be trusted|do not hire|unlikely|absent|absences|"
    "costly|difficult|difficulty|trouble|downside|minus|lack|lacks|lacking|too|"
    "not the right|not right for|wrong person|wrong candidate|wrong choice|wrong fit|not belong|"
    "no place|out of place|turned down|turn down|rule out|ruled out|not welcome|unwelcome|"
    "unacceptable|not acceptable|not invited|not proceed|not move forward|not advance|downgraded|"
    "not wanted|need not apply",
    refusals="reject|rejected|decline|declined|defer|not recommended|not hire|do not hire|"
    "not suitable|unsuitable|unfit|unreliable|disqualified|exclude|excluded|pass on|turned down|"
    "turn down|ruled out|rule out|not the right person|not the right candidate|wrong person|"
    "wrong candidate|wrong choice|strong no|clear no|not right for|not belong|need not apply",
    causes="because|since|due to|owing to|on account of|as a result of|given|given that|given his|"
    "given her|in view of|in light of|considering|therefore|thus|hence|so|consequently|means|"
    "mean|makes|make|made|suggests|suggest|implies|imply|indicates|lead to|leads to|for being|"
    "based on|despite|although|even though|as a|as an|as he is|as she is|as they are|which is why|"
    "would be|will be|might be|may be|with his|with her",
    equal="equal opportunity|equal opportunities|equal employment|regardless of|"
    "without regard to|irrespective of|do not discriminate|does not discriminate|"
    "not discriminate|non discrimination|nondiscrimination|discrimination|m f d|m w d|f m d|"
    "f m x|all genders|any gender|are welcome|is welcome|welcomes|welcome applications|"
    "encourage applications|encouraged to apply|encourage women|diversity|inclusive|inclusion|"
    "protected characteristic|protected characteristics|protected status|"
    "reasonable accommodation|reasonable accommodations|reasonable adjustments|"
    "accommodations are available|affirmative action|underrepresented",
    not_counted="not a factor|no factor|not been a factor|no bearing|no role|play no part|"
    "played no part|irrelevant|not relevant|not considered|not be considered|not consider|"
    "not considering|without considering|not taken into account|not be taken into account|"
    "not take into account|not into account|does not affect|did not affect|do not affect|"
    "not affect|not influence|not influenced|not based on|not part of|not mentioned|not weigh|"
    "not weighed|must not|may not be used|cannot be used|not used|no influence|no weight|"
    "should not matter|does not matter|not matter|ignored|disregarded|not an issue|"
    "not a concern|no concern|no concerns|left out|set aside|not because of|not due to|"
    "unrelated to|independent of|redacted|anonymised|anonymized",
    lawful="at least 16|at least 18|at least 21|be 16|be 18|be 21|be 16 or older|be 18 or older|"
    "be 21 or older|be 18 or over|be 21 or over|men and women|women and men|18 or older|18 or over|"
    "21 or older|21 or over|18 years or older|21 years or older|18 years of age|21 years of age|"
    "over 18|over 21|minimum age|legal age|legal drinking age|right to work|work permit|"
    "authorized to work|authorised to work|work authorization|work authorisation|visa|"
    "mother tongue|age group|age groups|age range|average age|of all ages|all ages|age related|"
    "retirement plan|retirement plans|retirement benefits|retirement savings|retirement home|"
    "retirement planning|retirement products|retirement scheme|young people|young children|"
    "youth work|youth worker|youth workers|youth services|youth welfare|youth club|"
    "young adults|young offenders|young learners|young patients|young professionals|elderly "
    "care|elderly patients|elderly people|elderly residents|elder care|older adults|older people|"
    "older patients|older versions|older systems|disability benefits|disability insurance|"
    "double blind|blind review|blind test|color blind|race condition|race conditions|race day|"
    "parent company|parent companies|parent teacher|parent element|parent class|children's|"
    "parental leave cover|maternity ward|maternity unit|maternity care|maternity cover|"
    "maternity leave cover|maternity clinic|cancer research|cancer patients|cancer center|"
    "cancer centre|cancer ward|diabetes care|diabetes patients|depression scale|mental health "
    "nurse|mental health services|mental health ward|mental health first aid|man hours|"
    "man months|gender studies|gender pay gap|sex education|faith schools|good faith|hiv research|"
    "autism spectrum patients|religious studies|religious education|black belt|white paper|"
    "white papers|black box|white box|white label|race track|ethnic studies|trans fat|"
    "european works council|credit union|student union|students' union|european union|"
    "union square|single point|single page|single sign|single handedly|single source|"
    "native app|native apps|cloud native|native mobile|native advertising",
    persons="candidate|candidates|applicant|applicants|person|persons|people|man|men|woman|women|"
    "guy|girl|boy|lady|national|nationals|citizen|citizens|immigrant|immigrants|employee|"
    "employees|worker|workers|colleague|colleagues|hire|hires|"
    "male|female|mother|father|parent|engineer|developer|nurse|males|"
    "females|guys|girls|boys|ladies|gentleman|gentlemen|mothers|fathers|parents|engineers|"
    "developers|nurses|member|members|lead|leads|head|heads|assistant|assistants|staffer|graduate|"
    "graduates|student|trainee|trainees|apprentice|clerk|clerks|chef|chefs|cook|cooks|guard|guards|"
    "professional|professionals|specialist|expert|experts|model|host|hostess|receptionist|boss|"
    "representative|representatives|accountant|consultant|architect|analyst|scientist|muslims|jews|"
    "christians|hindus|catholics|immigrants|migrants|foreigners|refugees|latinos|latinas|arabs|"
    "asians|africans|gypsies|lesbians|seniors|boomers|millennials|veterans|pensioners|"
    "americans|germans|russians|indians|mexicans|turks|italians|nigerians|pakistanis|syrians|"
    "afghans|romanians|bulgarians|ukrainians|iranians|greeks|brazilians|filipinos|spaniards|"
    "somebody|someone",
    being="is|being|are|was|were|a|an|as|he's|she's|they're|devout|practicing|practising|orthodox|"
    "because|since|not|be",
    personal="descent|origin|background|heritage|accent|family|name|surname",
    bodies="aid|relief|outreach|"
    "services|service|centre|center|studies|rights|association|group|club|charity|"
    "conference|network|museum|hospital|health|clinic|foundation|society|shelter|union|football|"
    "basketball|rugby|hockey|team|league|market|markets|language|languages|speaker|speaking|"
    "skills|level|proficiency|law|literature|cuisine|company|companies|office|customers|clients|"
    "startup|firm|organisation|organization|wear|fashion|shoes|products|students|patients|"
    "insurance|support|care|scheme|policy|bank|university|school|college|c1|c2|b1|b2|a1|a2|"
    "history|art|music|pupils|pupil|inequality|equality|fluent|fluently|translation|translator|"
    "teacher|lessons|course|courses|version|versions|system|systems|code|data",
    groups="team|teams|workforce|staff|crew|crews|personnel|squad",
    things="codebase|codebases|program|software|framework|frameworks|library|libraries|platform|"
    "platforms|product|application|app|apps|architecture|technology|technologies|stack|tool|tools|"
    "server|servers|mainframe|computer|computers|router|routers|database|databases|dataset|set|"
    "datasets|file|files|release|releases|model|api|apis|module|modules|build|branch|"
    "feature|features|protocol|standard|standards|interface|interfaces|device|devices|machine|"
    "machines|machinery|engine|engines|motor|motors|pump|pumps|vehicle|vehicles|car|cars|truck|"
    "trucks|ship|ships|aircraft|plane|planes|equipment|plant|plants|factory|factories|building|"
    "buildings|house|houses|bridge|bridges|site|sites|grid|line|lines|wiring|"
    "connector|connectors|plug|plugs|socket|sockets|adapter|adapters|coupling|couplings|cable|"
    "cables|thread|threads|screw|screws|fitting|fittings|terminal|terminals|header|headers|pin|"
    "pins|port|ports|jack|jacks|flange|flanges|mould|moulds|part|parts|component|components|"
    "industry|industries|sector|sectors|field|discipline|science|profession|economy|"
    "business|businesses|brand|brands|enterprise|enterprises|competitor|competitors|subsidiary|"
    "department|division|institution|institutions|agency|agencies|venture|ventures|fund|funds|"
    "portfolio|project|projects|idea|ideas|method|methods|methodology|process|processes|"
    "procedure|procedures|rule|rules|law|laws|document|documents|report|reports|record|records|"
    "contract|contracts|certificate|certificates|certification|qualification|degree|"
    "resume|entry|entries|reference|references|sample|samples|study|studies|paper|papers|"
    "target|targets|deadline|deadlines|goal|goals|schedule|schedules|timeline|timelines|budget|"
    "budgets|growth|expansion|pricing|price|prices|plan|plans|roadmap|campaign|campaigns|"
    "strategy|strategies|marketing|negotiation|negotiations|cost|costs|debt|refactoring|"
    "optimisation|optimization|caching|testing|treatment|treatments|tumour|tumor|physics|"
    "crane|cranes|drill|drills|pipe|pipes|boiler|boilers|lift|lifts|instrument|instruments|"
    "surface|surfaces|material|materials|tree|trees|forest|animal|animals|horse|horses|cattle|"
    "dog|dogs|plantation|wine|wines|cheese|painting|paintings|town|city|country|democracy|"
    "web|site|page|pages|shift|shifts|loan|loans|mine|mines|well|wells",
    describing="young|younger|older|old|elderly|aged|ageing|aging|mature|youthful|male|female|"
    "masculine|feminine|aggressive|energetic|high energy|abrasive|old school|shrill|too old|"
    "too young",
    asks="seek|seeks|seeking|look for|looking for|looks for|searching for|in search of|wanted|"
    "want|wants|need|needs|needed|recruit|recruiting|recruits|vacancy is open to|"
    "position is open to|role is open to|job is open to|sought|reserved for|accept|hiring|"
    "hire|would like",
    natures="naturally|by nature|innately|inherently|instinctively|genetically|are always|"
    "are never|are rarely|are usually|are generally|are often|are typically",
    traits="good at|good with|great at|great with|bad at|bad with|naturally|by nature|innately|"
    "inherently|hard working|hardworking|diligent|disciplined|precise|empathetic|empathy|caring|"
    "gentle|nurturing|obedient|docile|loyal|polite|friendly|warm|warmth|strong|tough|bright|clever|"
    "lazy|tidy|punctual|honest|careful|cheerful|mature|dynamic|assertive|patience|intuition",
    breaks="but|however|while|whereas|yet|though",
)

LEXICONS: Final[Mapping[str, Lexicon]] = {"en": ENGLISH}
"""By ISO 639-1 code. A language that is not here is not checked, and that is said."""
