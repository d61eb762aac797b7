"""Where a profane word is none: another language, an animal, a plant, a tool, a trade's term."""

import re
from typing import Final

_REACH: Final = 70
"""Characters on either side that are read as context."""

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")
_FEWEST_WORDS: Final = 3

_LANGUAGES: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and to of is was my for that with as he she it they you are were at be this "
        "have not so but his her their our what who which will would i from",
        "de": "ich der die das und nicht wir ist mit ein eine einen von auf im den dem zu fur "
        "haben habe sind wurde bei wie sehr auch aus zum zur hat als",
        "fr": "le la les des du de et je j'ai un une est pour dans sur avec au aux nous mon ma que "
        "qui en pas ce cette il elle ont par plus mes son",
        "nl": "het een de van ik en op te dat niet wij we zijn voor ook met bij naar mijn er aan "
        "heb hebben wat uit",
        "nordic": "og och jeg jag det er ar pa til att av ikke inte med som en ett vi den har var "
        "min mitt mine eller fra fran vid ved om",
        "ro": "si este nu la de un cu am pe din sa pentru ca sunt mai fost se cand am o in ale lui",
        "slavic": "i w na se je to jsem v ve ze si jak po od do nie jest sie ktory som bol pre aj "
        "byl byla pri ako",
        "romance": "el los las que y por con para una un del al en su mi no se es di il che per "
        "non sono della nel em uma nao com os do da dos como ao",
        "serbian": "i je sam u na se da za od kao nisam bio koji sve ali su mi po ili smo dok",
        "vietnamese": "va la cua co khong duoc cho trong nhung mot toi lam voi cac nguoi tu den",
    }.items()
}
"""Function words, accents folded, by the language that they give away."""

_AT_HOME: Final[dict[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "de": "dick dicker dickes dicks homos ass asses",
        "fr": "retard retards retarder douche douches asser ass",
        "nl": "hoe hoes douche douches asser",
        "nordic": "slut sluts sluta sluter prick pricks pricka fag fags faget fager tosser skank "
        "assa",
        "ro": "cum minge fag faget fagot arse",
        "slavic": "fuk fuc fagot arse paki spica cum",
        "romance": "fagot retarda retardas",
        "serbian": "puta fuk fagot",
        "vietnamese": "cum thot hoe",
    }.items()
}
"""Ordinary words of other languages: thick, delay, how, end, subject, dot, shower, bassoon."""

_COMPANY: Final[tuple[tuple[frozenset[str], re.Pattern[str]], ...]] = tuple(
    (frozenset(words.split()), re.compile(around))
    for words, around in (
        # Latin's with, as titles and double trades have it: magna cum laude, cook cum driver
        (
            "cum",
            r"\bcum (?:laude|grano|tempore)\b|"
            r"\b(?!(?:to|and|will|gonna|wanna|his|her|your|their|the|can|some|with|hot|drink|"
            r"swallow|eat|who|you|they|she|want)\b)[a-z]{3,}[ \-]cum[ \-]"
            r"(?!(?:on|in|for|all|inside|hard|now|over|dump\w*|slut\w*|shot\w*|here|again|so|at|with|"
            r"and|too|back|together|as|from|is|was|like|out|up|off|into|onto)\b)[a-z]{3,}",
        ),
        (
            "hooker hookers",
            r"\brugby|\bscrum|\bflanker|\bfront[ -]row|\bline-?out|\brug hook|crochet",
        ),
        (
            "jackass jackasses ass asses",
            r"\b(?:donkeys?|mules?|onagers?|wild ass(?:es)?|sanctuary|zoo|species|equines?)\b",
        ),
        (
            "boobies boobs tits tit titty cock cocks",
            r"\b(?:birds?|hens?|roosters?|chickens?|poultry|pheasants?|seabirds?|gulls?|gannets?|"
            r"nest\w*|aviary|ornitholog\w*|species|sanctuary|blue[ -]footed|"
            r"(?:blue|great|coal|marsh|willow|bearded|crested|long-tailed) tits?)\b",
        ),
        (
            "cock cocks",
            r"\b(?:(?:stop|ball|pet|drain|weather|bib|sea)[ -]?cocks?|cocks? (?:valves?|and bull|"
            r"of the|crows?|robin)|cock-a-|(?:valve|boiler|hammer|pistol|pipe|tap)s?)\b",
        ),
        (
            "bitch bitches",
            r"\b(?:whelp\w*|litters?|kennels?|pupp(?:y|ies)|stud dogs?|breeder|spay\w*)\b",
        ),
        ("pussy pussies", r"\bpussy[ -]?(?:willows?|cats?|riot|toes|bow)\b|\bpussy-?foot"),
        (
            "hoe hoes",
            r"\b(?:garden\w*|weed\w*|rakes?|spades?|shovels?|soil|farm\w*|fields?|ploughs?|crops?|"
            r"dutch|seed\w*|plants?|vegetables?|allotment)\b",
        ),
        (
            "bastard bastards",
            r"\b(?:bastard (?:files?|swords?|titles?|toadflax|cut|culture|operators?|hemp|teak)|"
            r"files? .{0,24}bastard)\b",
        ),
        (
            "prick pricks",
            r"\b(?:(?:skin|finger|heel|pin|needle|allergy)[ -]pricks?|pricks? (?:tests?|out|up|"
            r"the (?:skin|finger|pastry|potato\w*|dough|seedlings))|seedlings?|pastry|dough)\b",
        ),
        ("chink chinks", r"\bchinks? (?:in|of|between)\b|\barmou?r\b|\bmasonry\b"),
        (
            "dyke dykes",
            r"\b(?:flood\w*|sea|offa\W?s|drain\w*|embankments?|canals?|polders?|rivers?|levees?|magma|"
            r"dolerite|igneous|geolog\w*|dams?|ditch\w*|van)\b",
        ),
        ("coon coons", r"\b(?:maine|raccoons?)\b"),
        ("faggot faggots fagot fagots", r"\b(?:peas|mash|gravy|butcher\w*|firewood|bassoons?)\b"),
        (
            "retard retards retarded",
            r"\b(?:flame|fire|frost|set|setting|growth|spark|ignition|concrete|cement|plaster|timing|"
            r"corrosion|hydration|curing)s?\b",
        ),
        ("dick", r"\b(?:spotted|moby)[ -]dick\b"),
        ("fanny", r"\bfanny (?:packs?|adams)\b"),
        (
            "porn porno",
            r"\b(?:moderat\w+|trust (?:and|&) safety|filter\w*|classif\w+|block\w*|report\w*|"
            r"illegal|anti|flagg\w+|detect\w*)\b",
        ),
        ("titties titty wank paki spunk douche", r"\b(?:zoo|birds?|mountain|cable car|shower)\b"),
    )
)


def is_ordinary(word: str, text: str, start: int, end: int) -> bool:
    """Tell whether what stands around a word makes it an ordinary one.

    Args:
        word: as it was read, in small letters.
        text: the whole, normalised.
        start: the word's first character.
        end: one past its last.
    """
    around = text[max(0, start - _REACH) : end + _REACH].lower()
    return _is_foreign(word, around) or any(
        word in words and beside.search(around) is not None for words, beside in _COMPANY
    )


def _is_foreign(word: str, around: str) -> bool:
    homes = [language for language, words in _AT_HOME.items() if word in words]
    if not homes:
        return False
    seen = set(_WORD.findall(around)) - {word}
    english = len(seen & _LANGUAGES["en"])
    return any(len(seen & _LANGUAGES[home]) >= max(_FEWEST_WORDS, english + 1) for home in homes)
