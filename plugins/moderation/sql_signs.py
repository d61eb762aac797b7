"""The signs of SQL injection: patterns and what each weighs; `sql` adds them up."""

import re
from dataclasses import dataclass
from typing import Final

from plugins.moderation.rules import Rule

# What parts SQL's words: space, a plus of a form's encoding, comments, brackets.
_GAP: Final = (
    r"(?:[\s+(),!;`~\-@]|/\*[^*]{0,60}\*{0,2}/|/\*!\d{0,5}|\*/|"
    r"\{f?|--[^\n]{0,30}\n|\#[^\n]{0,30}\n)"
)
_VALUE: Final = (
    r"(?:0x[0-9a-f]+|[\d.]{1,24}|'[^']{0,40}'?|\"[^\"]{0,40}\"?|null|true|false|@{1,2}[\w.]{1,30}|"
    r"[a-z_][\w.]{0,30}(?:\([^()]{0,40}(?:\([^()]{0,40}\)[^()]{0,20})?\))?)"
)
_COMPARES: Final = (
    r"(?:=|<=>|<>|!=|<|>|\^|\bnot\b|\blike\b|\brlike\b|\bregexp\b|\bsounds\b|\bis\b|\bin\b|"
    r"\bbetween\b|\bdiv\b|\bmod\b)"
)
_FUNCTIONS: Final = (
    r"(?:concat(?:_ws)?|group_concat|unhex|hex|aes_decrypt|load_file|version|database|schema|"
    r"user|current_user|"
    r"system_user|session_user|char|chr|ascii|ord|substr(?:ing)?|mid|left|right|length|"
    r"benchmark|sleep|pg_sleep|convert|cast|extractvalue|"
    r"updatexml|count|floor|rand|md5|sha1|if|ifnull|nullif|coalesce|exists|elt|row|make_set|"
    r"name_const|"
    r"greatest|least|strcmp|find_in_set|bin|conv|compress|quote|reverse|lower|upper|xmltype|"
    r"utl_\w+|dbms_\w+|ctxsys\.\w+)"
)


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of an injection.

    Args:
        kind: signs of one kind count once.
        weight: what it adds.
        rule: where it holds.
    """

    kind: str
    weight: float
    rule: Rule


def _sign(kind: str, weight: float, spot: str, shape: str, *needs: str, **reach: int) -> Sign:
    pattern = re.compile(shape, re.IGNORECASE)
    _seen[kind] = _seen.get(kind, 0) + 1
    name = f"sql.{kind}.{_seen[kind]}"
    return Sign(kind, weight, Rule(name, spot, pattern, needs=needs, **reach))


_seen: dict[str, int] = {}

SIGNS: Final = (
    # union ... select, then what only an injection selects: numbers, nulls, functions, variables.
    _sign(
        "union",
        0.5,
        r"union[^a-z].{0,80}select",
        rf"(?:(?<![a-z])|(?<=\d[de]))union(?:{_GAP}|\ball\b|\bdistinct\b|\bunion\b|"
        rf"\bselect\b(?=\s*\*/)){{1,24}}select(?![a-z])",
        "union",
        before=120,
        after=20,
    ),
    _sign(
        "union_values",
        0.6,
        r"union[^a-z].{0,80}select[^a-z].{0,24}[a-z0-9'\"@]",
        rf"(?:(?<![a-z])|(?<=\d[de]))union(?:{_GAP}|\ball\b|\bdistinct\b|\bunion\b|"
        rf"\bselect\b(?=\s*\*/)){{1,24}}select"
        rf"(?:{_GAP}|\ball\b|\bdistinct\b){{1,8}}(?:top\s+\d+\s+)?"
        rf"(?:\d+\s*(?:,|$|--|/\*|\#|\bfrom\b|\blimit\b|\)|\n)|null\b|'|\"|@|0x[0-9a-f]|"
        rf"{_FUNCTIONS}\s*\()",
        "union",
        before=160,
        after=60,
    ),
    _sign(
        "union_after_value",
        0.5,
        r"[0-9a-z'\")][\s+/*(!\-]{0,12}union[^a-z].{0,80}select",
        rf"(?:\d[.de]?|['\"][\s)%]{{0,4}}|\d\)|@\w{{1,30}}){_GAP}{{0,8}}union(?:{_GAP}|\ball\b|"
        rf"\bdistinct\b){{1,24}}select(?![a-z])",
        "union",
        before=160,
        after=20,
    ),
    _sign(
        "union_from",
        0.5,
        r"union[^a-z].{0,80}select[^a-z].{1,200}from",
        rf"(?:(?<![a-z])|(?<=\d[de]))union(?:{_GAP}|\ball\b|"
        rf"\bdistinct\b){{1,24}}select\b[^.;\n]{{1,200}}?\bfrom\s+[a-z_`\[(]",
        "union",
        before=300,
        after=20,
    ),
    # a condition that is always true or always false: or 1=1, and 'a'='b', or (8)=(3)
    _sign(
        "always",
        1.0,
        r"[^a-z](?:or|and|xor|having|not|when|rlike|"
        r"like)[\s+('\"!~\-\[/*,;`]{1,24}[0-9@][xa-f0-9.'\")(\]\s+*/%\-]{0,40}(?:=|<|>|like|is|"
        r"not like|between|not between|in)",
        rf"(?:\b|\d|')(?:or|and|xor|having|&&|\|\||not|when|rlike|"
        rf"like){_GAP}{{1,12}}(?:not{_GAP}{{1,6}})?"
        r"(?P<quote>['\"]?)\d[\d.xa-f]{0,12}(?:[\s()]{0,3}[+\-*/%][\s()]{0,3}\d{1,12}){0,12}(?P=quote)[\s)+]{0,6}"
        r"(?:=|<=>|<>|!=|<|>|(?:\bnot\s+)?\b(?:sounds\s+like|like|between|in)\b|"
        r"\bis\b)=?[\s(+]{0,6}(?P=quote)?"
        rf"(?:-?\d|null|true|false|@@|{_FUNCTIONS}\s*\(|pi\(|[a-z_]\w{{2,20}}\(|select)",
        before=70,
        after=40,
    ),
    _sign(
        "always",
        1.0,
        r"(?:or|and|xor|having|\|\||&&)[\s+(!~\-]{0,8}(?:not\s)?['\"]",
        r"(?:\b(?:or|and|xor|having)\b|\|\||"
        r"&&)[\s+(!~\-]{0,8}(?:not\s+)?(?P<q>['\"])[^'\"\n]{0,30}(?P=q)[\s)+]{0,6}"
        r"(?:=(?!=)|<=>|<>|!=|<|>|\blike\b|\bis\b|\bin\b|"
        r"\bbetween\b)[\s(+]{0,6}(?:binary\s)?(?:['\"\d]|null|true|char)",
        before=40,
        after=90,
    ),
    # where 1=1: so begin queries that programs put together; what follows its number is no more
    _sign(
        "after_number",
        0.6,
        r"where[\s(+/*]{1,8}[0-9'\"][^=<>]{0,16}(?:=|<|>|like)",
        r"\bwhere(?:[\s(+]|/\*[^*]{0,20}\*/){1,8}(?P<q>['\"]?)(\w{1,12})(?P=q)[\s)]{0,4}"
        r"(?:=|<=>|>=|<=|<>|!=|<|>|like\b)[\s(]{0,4}(?P=q)(?:\2(?=\W|$)|\d|null\b|true\b|false\b)",
        "where",
        before=50,
        after=30,
    ),
    _sign(
        "constant",
        0.8,
        r"(?:or|and|xor|having|not)[\s+(]{1,6}(?:true|false|null)[\s+)]{0,4}(?:or|and|is|--|\#|"
        r"/\*|\)|=|<|>)",
        r"\b(?:or|and|xor|having|not)[\s+(]{1,6}(?:true|false|null)\b[\s+)]{0,4}(?:\bor\s+\d|"
        r"\band\s+\d|\bis\s+(?:not\s+)?null|--|\#|/\*|=(?!=)|<|>)",
        "true",
        "false",
        "null",
        before=40,
        after=12,
    ),
    # or#x<line break>1=1: a comment to the end of the line takes the place of a space
    _sign(
        "always",
        1.0,
        r"(?:or|and|xor|having|&&|\|\|)(?:\#|--)[a-z0-9_]{0,24}\n\s{0,4}['\"(]{0,3}[0-9]",
        r"(?:\b(?:or|and|xor|having)|&&|\|\|)(?:\#|"
        r"--)\w{0,24}\n\s{0,4}['\"(]{0,3}\d{1,12}['\")]{0,3}"
        r"\s{0,4}(?:=|<|>|!|like\b|is\b|in\b|between\b)",
        "#",
        "--",
        before=50,
        after=30,
    ),
    # {x 1}={x 1}: ODBC's braces, and JSON's operators, around what is always true
    _sign(
        "always",
        1.0,
        r"(?:or|and|xor|having|not|&&|\|\|)[\s(+!~]{0,8}\{",
        r"(?:\b(?:or|and|xor|having|not)\b|&&|\|\|)[\s(+!~]{0,8}\{\s{0,2}[a-z_]{1,12}\s{1,3}"
        rf"{_VALUE}\s{{0,2}}\}}[\s)]{{0,4}}{_COMPARES}",
        before=24,
        after=100,
    ),
    _sign(
        "always",
        1.0,
        r"(?:or|and|xor|having|not|&&|\|\|)[\s(+!~]{0,8}(?:'[\[{]|"
        r"json[a-z_]{0,18}\s{0,3}\(\s{0,3}')",
        r"(?:\b(?:or|and|xor|having|not)\b|&&|\|\|)[\s(+!~]{0,8}(?:"
        r"'[\[{][^']{0,80}[\]}]'(?:\s{0,2}::\s{0,2}\w{1,8})?\s{0,3}"
        r"(?:@>|<@|@\?|@@|->>?|\#>>?|\?[|&]?|=|<|>)\s{0,3}'|"
        r"json[a-z_]{0,18}\s{0,3}\(\s{0,3}'[\[{][^']{0,80}[\]}]')",
        before=40,
        after=120,
    ),
    # a value that is an expression of its own: "sort": "(case when (select ...) > 5 ..."
    _sign(
        "always",
        1.0,
        r"['\"=]\s{0,3}\([\s(]{0,4}(?:select|case|if|exists)[^a-z]",
        r"(?:['\"]\s{0,3}:\s{0,3}\\?['\"]|\w=)\s{0,3}\([\s(]{0,4}(?:select\b[^\n]{1,160}?\bfrom\b|"
        r"case\s{1,4}when\b[^\n]{1,160}?\b(?:select|then)\b|if\s{0,3}\(|"
        r"exists\s{0,3}\(\s{0,3}select)",
        before=40,
        after=180,
    ),
    # a quote is closed and the text goes on as a condition
    _sign(
        "breakout",
        0.7,
        r"['\"][\s)+%;/*\-]{0,12}(?:or|and|xor|having|\|\||&&|union|where|like|rlike|in|is|"
        r"between|div)[^a-z].{0,60}(?:=|<|>|\(|like|'|\"|is|between|\||\^|in)",
        rf"(?:['\"]|%27|%22)[\s)+/*]{{0,10}}(?:\bor\b|\band\b|\bxor\b|\bhaving\b|\|\||&&|"
        rf"\bwhere\b)[\s(+!~]{{0,8}}(?:not\s+)?(?:exists\s*)?"
        rf"{_VALUE}[\s)+]{{0,6}}(?:{_COMPARES}|\()",
        before=120,
        after=24,
    ),
    _sign(
        "breakout",
        1.0,
        r"['\"]\s{0,4}(?:is\s{1,4}(?:not\s|null|[0-9])|between\s{1,3}[0-9'\"(]|(?:select|"
        r"union)\s{1,4}(?:union|select|all|[0-9@*]|null)|not\s{1,4}(?:r?like|regexp|between|"
        r"in))|['\"]\s{0,4}and\s{0,3}\#|['\"]\s{0,8}into\s{1,8}(?:out|dump)file",
        r"(?:\w|^|\s|')['\"]\s{0,4}(?:is\s{1,4}(?:(?:not\s{1,4})?null|\d{1,20})\b|"
        r"between\s{1,3}[\d'\"(]|(?:select|union)\s{1,4}(?:union|select|all|\d|@|null|\*)|"
        r"not\s{1,4}(?:r?like|regexp|between|in)\b\s{0,3}['\"(\d]|and\s{0,3}\#\s|"
        r"into\s{1,8}(?:out|dump)file)",
        before=24,
        after=12,
    ),
    _sign(
        "breakout",
        1.0,
        r"^[\s+]{0,3}[a-z0-9]{0,6}[\s+]{0,3}['\"][\s+]{0,3}(?:[=<>!&|/*+^%\-]{1,3}|like|sounds "
        r"like|r?like|regexp|div|\bor\b|and)[\s+]{0,3}['\"][\s+]{0,3}[a-z0-9]{0,6}[\s+]{0,3}\n$",
        r"\A\s*[a-z0-9]{0,6}\s{0,3}'\s{0,3}(?:[=<>!&|/*+^%\-]{1,3}|(?:sounds\s|not\s)?(?:r?like|"
        r"regexp|div|or|and))\s{0,3}'\s{0,3}[a-z0-9]{0,6}\s*\Z",
        "'",
        before=60,
        after=8,
    ),
    _sign(
        "breakout",
        0.6,
        r"['\"]\s{0,4}\)?\s{0,4}(?:\bor\b|and|xor|\|\||&&|=|<|>|\+|like|is|in|-|/|\*|"
        r"\^)[\s(]{0,6}['\"]",
        r"(?:(?:^|[\s(=,])['\"]|\w['\"])\s{0,3}\)?\s{0,3}(?:\bor\b|\band\b|\bxor\b|\|\||&&|=|<>|"
        r"!=|<=>|<|>|\blike\b|\bis\b|\bdiv\b|\^)"
        r"[\s(]{0,5}['\"][^'\"\n]{0,20}(?:'|\"|$)(?!\w)",
        before=40,
        after=40,
    ),
    _sign(
        "breakout",
        1.0,
        r"['\"][\s)]{0,4}(?:order by|group by|limit|procedure|into|having)[^a-z]",
        r"(?:\w|\s|^)['\"][\s)]{0,4}(?:order by|group by|limit|procedure|into|having)\s+[\d(@'\"]",
        before=40,
        after=12,
    ),
    # the rest of the statement is commented out
    _sign(
        "comment",
        0.4,
        r"(?:[a-z0-9'\")\]`;/*=]\s{0,4}(?:--|\#)[\s+]|[0-9a-z'\")]\s{0,3}/\*|(?:--|\#)[\s\n])",
        r"(?:[\d'\")\]`;]\s{0,3}(?:--|\#)(?=\s|$|\+|')|[\w'\")]\s{0,3}/\*(?=\s|$|"
        r"[^*\n]{0,30}\*/)|\w\s{0,3}--(?=\s*$))",
        before=12,
        after=40,
    ),
    _sign(
        "comment_inside",
        0.5,
        r"(?:union|select|from|where|and|or|insert|drop|sleep|[0-9'])(?:/\*|\*/)|"
        r"(?:union|select|from|where|and|or|all|by)(?:\#|--)[a-z0-9_]",
        r"(?:\b(?:union|select|from|where|and|or|insert|drop|all|order)|"
        r"[\d'\")])/\*[^*\n]{0,40}\*/(?:\w|'|\(|/)|/\*!\d{0,5}\s{0,3}(?:union|select|and|or|all|"
        r"concat|from)|\b(?:union|select|from|where|and|or|all|by)(?:\#|--)[a-z0-9_]{1,24}\n",
        "/*",
        "#",
        "--",
        before=40,
        after=60,
    ),
    # a second statement
    _sign(
        "stacked",
        0.8,
        r"['\")][\s)]{0,4};[\s/*!]{0,8}(?:drop|delete|insert|update|exec|execute|shutdown|"
        r"declare|create|alter|truncate|select|waitfor|grant|call|begin|if|set|use)",
        r"['\")][\s)]{0,4};[\s/*!]{0,6}(?:drop|delete|insert|update|exec(?:ute)?|shutdown|"
        r"declare|create|alter|truncate|select|waitfor|grant|call|begin|if|set|use)\b",
        ";",
        before=24,
        after=4,
    ),
    _sign(
        "stacked",
        1.0,
        r"['\"0-9][\s)]{0,4};[\s/*!]{0,8}(?:drop\s|delete\s|insert\s|update\s|exec|shutdown|"
        r"declare\s|truncate\s|waitfor\s|select\s)",
        r"['\"\d][\s)]{0,4};[\s/*!]{0,6}(?:drop\s+(?:table|database|user|view|index)\s|"
        r"delete\s+from\s|insert\s+into\s|update\s+\w+\s+set\s|exec(?:ute)?\s*\(?\s*(?:xp_|sp_|"
        r"master|@|')|shutdown\b|declare\s+@|truncate\s+table\s|waitfor\s+(?:delay|time)|"
        r"select\s+(?:cast|convert|sleep|pg_sleep|benchmark|version|user|\d|@|'|\*\s+from))",
        ";",
        before=24,
        after=40,
    ),
    _sign(
        "stacked",
        0.6,
        r"[;0-9][\s/*!]{0,6}(?:drop\s+(?:table|database|user)|truncate\s+table|delete\s+from|"
        r"insert\s+into|shutdown|exec\s+xp_|exec\s+master|declare\s+@|waitfor|select\s+(?:sleep|"
        r"pg_sleep|benchmark))",
        r"(?:;|\d\s{1,4})[\s/*!]{0,6}(?:begin\s+)?(?:(?:drop\s+(?:table|database|user)|"
        r"truncate\s+table)\s+\w+\s*(?:;|--|/\*|\#|$)|delete\s+from\s+\w+(?:\s+where|\s*;|\s*--|"
        r"\s*$)|insert\s+into\s+\w+\s*(?:\(|values|select)|"
        r"update\s+\w+\s+set\s|shutdown\b\s*(?:;|--|with)|exec(?:ute)?\s*\(?\s*(?:xp_|master|"
        r"sp_)|declare\s+@\w+|waitfor\s+(?:delay|time)|select\s+(?:sleep|pg_sleep|"
        r"benchmark)\s*\()",
        before=40,
        after=60,
    ),
    # waiting, reading files, errors that carry data: blind and out-of-band injection
    _sign(
        "blind",
        0.8,
        r"(?:waitfor[\s+/*]{1,10}(?:delay|time)|pg_sleep|benchmark\s{0,3}\(|sleep\s{0,3}\(|"
        r"dbms_(?:pipe|lock)|extractvalue\s{0,3}\(|updatexml\s{0,3}\(|load_file\s{0,3}\(|"
        r"xp_(?:cmdshell|dirtree|regread)|into\s{1,8}(?:out|dump)file|name_const\s{0,3}\(|"
        r"utl_(?:http|inaddr)|procedure\s{1,4}analyse|generate_series|sp_password|"
        r"opendatasource|openrowset|load\s+data\s+infile)",
        r"(?:waitfor[\s+/*]{1,10}(?:delay|time)\s{0,4}\+?['\"%]|pg_sleep\s{0,3}\(\s*\d|"
        r"benchmark\s{0,3}\(\s*\d|\bsleep\s{0,3}\(\s*\d+\s*\)\s*(?:=|--|\#|/\*|$|and|or|'|\)|,)|"
        r"dbms_(?:pipe|lock)\.|"
        r"extractvalue\s{0,3}\(\s*[\w(']+\s*,|updatexml\s{0,3}\(\s*[\w(']+\s*,|"
        r"load_file\s{0,3}\(\s*(?:0x|'|\"|char)|xp_(?:cmdshell|dirtree|"
        r"regread)\s{0,3}\(?\s*['\"n]|"
        r"into\s{1,8}(?:out|dump)file\s{0,8}['\"0(]|name_const\s{0,3}\(|utl_(?:http|inaddr)\.|"
        r"procedure\s{1,4}analyse\s*\(|sp_password|openrowset\s*\(|load\s+data\s+infile\s*['\"])",
        before=40,
        after=40,
    ),
    _sign(
        "file",
        1.0,
        r"into\s{1,8}(?:out|dump)file\s{0,8}['\"]|load_file\s{0,3}\(\s{0,3}['\"0c]|"
        r"exec[\sute]{0,5}\(\s{0,3}@|exec[\sute]{0,6}xp_",
        r"into\s{1,8}(?:out|dump)file\s{0,8}['\"][\w/.\\]|"
        r"load_file\s{0,3}\(\s{0,3}(?:['\"][/\\a-z]|0x|char)|exec(?:ute)?\s{0,3}\(\s{0,3}@|"
        r"exec(?:ute)?\s{1,4}xp_\w+\s",
        before=40,
        after=12,
    ),
    _sign(
        "always",
        1.0,
        r"[0-9'\")][\s)+]{1,4}(?:and|or|xor)[\s(+]{1,4}[0-9]{1,8}[\s)]{0,4}(?:/\*|--|\#)",
        r"(?:\d|['\")])[\s)+]{1,4}(?:and|or|xor)[\s(+]{1,4}\d{1,8}[\s)]{0,4}(?:/\*|--(?=\s|$)|"
        r"\#(?=\s|$))",
        before=40,
        after=8,
    ),
    # what an injection asks of the database about itself
    _sign(
        "schema",
        0.5,
        r"(?:information_schema|mysql\.(?:user|db)|pg_(?:catalog|user|shadow|tables)|"
        r"sys(?:objects|columns|databases|users)|sqlite_master|all_tab|user_tab|msysobjects|"
        r"v\$version|sys\.(?:user|database|all_))",
        r"(?:from[\s+(`\[\"]{1,6}(?:information_schema|mysql\.(?:user|db)|pg_(?:catalog|user|"
        r"shadow|tables)|(?:\w+\.){0,2}sys(?:objects|columns|databases|users)|sqlite_master|"
        r"all_tab|user_tab|msysobjects|v\$version)|table_schema\s*=|table_name\s*=\s*(?:0x|'|"
        r"char))",
        before=60,
        after=50,
    ),
    _sign(
        "self",
        0.5,
        r"(?:\(@[a-z]|@@[a-z]|current_user\s*=|(?:version|database|user|schema|current_user|"
        r"system_user|session_user)\s{0,2}\(\s*[!]?\s*\)|0x[0-9a-f]{2,}|(?:char|"
        r"chr)\s{0,2}\(\s*[0-9])",
        r"(?:\(@\w{1,30}\)|[,(=\s]@@(?:version|datadir|basedir|hostname|global|tmpdir)\w*|"
        r"[,(=\s](?:version|database|user|schema|current_user|system_user|"
        r"session_user)\s{0,2}\(\s*!?\s*\)|\bcurrent_user\s*=|[,(=]\s*0x[0-9a-f]{2,}\s*[,)=\s]|"
        r"\b(?:char|chr)\s{0,2}\(\s*\d{1,3}\s*[,)])",
        before=24,
        after=40,
    ),
    _sign(
        "collect",
        0.5,
        r"(?:concat(?:_ws)?|group_concat|unhex|aes_decrypt|xmltype|elt|make_set)[\s/*]{0,6}\(",
        r"\b(?:(?:group_)?concat(?:_ws)?|unhex|aes_decrypt|xmltype|elt|"
        r"make_set)[\s/*]{0,6}\(\s*(?:0x|hex|(?:char|chr)\s*\(|aes_encrypt|@@|version|user|"
        r"database|login|pass|email|name|\(?\s*select|convert|distinct|[a-z_]{1,40}\s*,\s*(?:0x|"
        r"char|'|chr))",
        before=20,
        after=60,
    ),
    # a number or a quote, then a letter of something compared: 5 and ascii(substring(..))>60
    _sign(
        "always",
        1.0,
        r"[0-9'\")][\s)+]{1,4}(?:and|or|xor|&&|\|\|)[\s(+!~]{1,8}(?:ascii|ord|substr|mid|"
        r"substring|length|@@[a-z]|bin|hex|exists|sleep|pg_sleep|benchmark)[a-z_]{0,20}[\s+()]",
        r"(?:\d|['\")])[\s)+]{1,4}(?:\band\b|\bor\b|\bxor\b|&&|\|\|)[\s(+!~]{1,8}(?:(?:ascii|"
        r"ord|substr(?:ing)?|mid|length|bin|hex)\s*\([^\n]{1,120}?[=<>]|exists\s*\(\s*select|"
        r"@@\w+\)?\s*[=<>]|(?:pg_)?sleep\s*\(\s*\d|benchmark\s*\(\s*\d)",
        before=40,
        after=140,
    ),
    # comparing what functions give: and ascii(substring(...)) > 60
    _sign(
        "probe",
        0.7,
        rf"(?:or|and|xor|having|&&|\|\|)[\s+(!~\-/*]{{0,10}}(?:not\s{{0,4}})?(?:binary\s{{0,4}})?"
        rf"{_FUNCTIONS}\s{{0,3}}\(",
        rf"(?:\b(?:or|and|xor|having)\b|&&|\|\|"
        rf")[\s+(!~\-/*]{{0,10}}(?:not\s*)?(?:binary\s*)?{_FUNCTIONS}\s{{0,3}}\([^\n]{{1,160}}?(?:=|<|>|\blike\b|\bin\b|\bbetween\b|\bfrom\b|--|$)",
        before=60,
        after=200,
    ),
    _sign(
        "probe",
        0.6,
        r"(?:or|and|xor|having|where|not|&&|\|\||=|<|>)[\s+(!~\-/*]{0,10}\(\s*select[^a-z]",
        r"(?:\b(?:or|and|xor|having|not|exists|in|any|all|some)\b|&&|\|\||=|<|>|\d\s|"
        r"')[\s+(!~\-/*]{0,10}\(\s*select\b[^.\n]{1,160}?(?:\bfrom\b|\)|\blimit\b)",
        "select",
        before=40,
        after=180,
    ),
    _sign(
        "columns",
        0.8,
        r"(?:order|group)[\s+/*]{1,10}by[\s+/*(]{1,10}[0-9]{1,4}",
        r"(?:\d|['\")])[\s+/*)]{1,8}(?:order|"
        r"group)[\s+/*]{1,10}by[\s+/*(]{1,10}\d{1,4}\)?\s{0,4}(?:--|\#|/\*|$|;|[,)]|false|true|"
        r"limit|desc|asc|\n)",
        " by",
        "by ",
        "by+",
        "by/",
        before=60,
        after=20,
    ),
    # the same two built-in values compared, a comparison after a number and pipes
    _sign(
        "always",
        1.0,
        r"[^a-z](?:version|database|user|schema|connection_id|current_user|session_user|"
        r"system_user|charset|collation|coercibility|length|hex)\s{0,3}\(",
        r"(?P<own>\b(?:version|database|user|schema|connection_id|current_user|session_user|"
        r"system_user)\s{0,3}\(\s*\))\s*(?:=|<|>|(?:not\s+)?(?:r?like|regexp)\b)\s*(?:(?P=own)|"
        r"\w{4,16}\s*\(\s*\))|"
        r"\b(?:charset|collation|coercibility|length|hex)\s*\(\s*(?:current_user|user|database|"
        r"version|schema|load_file)\s*\(",
        before=40,
        after=100,
    ),
    _sign(
        "always",
        1.0,
        r"[0-9'\")]\s{0,3}(?:\|\||&&)\s{0,3}[a-z(~!\-0-9'\"@]",
        rf"(?:^|[\s'\"])\d{{0,12}}['\")]?\s{{0,3}}(?:\|\||"
        rf"&&)\s{{0,3}}(?:{_VALUE}\s{{0,3}}(?:=(?!=)|<>|<|>|\bis\s+(?:not\s+)?null\b|\br?like\b|"
        rf"\bregexp\b)|(?:lpad|rpad|substr|ascii|{_FUNCTIONS})\s*\()",
        before=40,
        after=90,
    ),
    # a quote is closed and arithmetic or a comparison opens the next: 1'*1-'0, aa' like(0)
    _sign(
        "arithmetic",
        1.0,
        r"[a-z0-9_]['\"]\s{0,3}(?:[\-+*/^|&!=<>~%]|like|rlike|regexp|div|mod|is |"
        r"sounds)[^'\"]{0,40}['\"(]|[a-z0-9_]'\s{0,3}(?:mod|div|like)\s{0,3}[0-9@+~!\-]",
        r"\w'\s{0,3}(?:[*/^&|+%]|[\-!=<>~]{1,2}(?!-))\s{0,3}[^'\"\n,;:]{0,40}(?:(?<![a-z]{3}) ?|"
        r"\b(?:r?like|regexp|binary|between)\s{0,2}[+~!\-]?)'\s{0,2}[-+~]?\w{0,12}(?![\w.])|"
        r"\w'\s{0,3}(?:not\s+|sounds\s+)?(?:like|rlike|regexp|div|mod)\s{0,3}[(\d'\"+\-~!@]|"
        rf"\w'\s{{0,3}}[+*/%^|&\-]{{1,2}}\s{{0,3}}{_FUNCTIONS}\s{{0,2}}\(",
        before=60,
        after=24,
    ),
    _sign(
        "closed_and_cut",
        0.6,
        r"(?:[a-z0-9]['\"]\)?(?:--|\#|/\*)|\)\s{0,3}\)\s{0,3}--)",
        r"(?:\w['\"]\)?(?:--(?=\s|$|[+'])|\#(?=\s|$)|/\*)|\)\s{0,3}\)\s{0,3}--(?=\s|$))",
        before=12,
        after=12,
    ),
    _sign(
        "binary",
        0.6,
        r"binary[\s(]{1,6}(?:binary|\(|cos|@|'|[0-9])",
        r"\bbinary[\s(]{1,6}(?:binary\b|\(\s|cos\s*\(|@|'|\d)",
        "binary",
        before=20,
        after=4,
    ),
    # a list of columns filled up with literals: select -1,sin(1),2 from
    _sign(
        "literals",
        0.6,
        r"elect[\s(+~\-]{1,8}(?:['\"]?[0-9]|@|[a-z]{1,12}[()])|"
        r"\)\s{0,3},\s{0,3}[0-9]{1,3}\s{1,4}from\s",
        r"\bs?elect(?:\s+|[(+~\-]){1,8}(?:['\"]?\d{1,8}['\"]?\s*[,)]|@\w|"
        r"(?<=[\-(+~])\w{1,12}[()])|\)\s{0,3},\s{0,3}\d{1,3}\s{1,4}from\s",
        "elect",
        before=24,
        after=20,
    ),
    _sign(
        "padding",
        0.5,
        r",\s{0,3}[0-9]{1,3}\s{1,4}from\s|elect\s{1,4}[0-9]{1,3}\s{0,3},\s{0,3}[0-9]{1,3}\s{0,3},",
        r",\s{0,3}\d{1,3}\s{1,4}from\s+\w|\bs?elect\s{1,4}\d{1,3}\s{0,3},\s{0,3}\d{1,3}\s{0,3},",
        "from",
        "elect",
        before=24,
        after=8,
    ),
    _sign(
        "one_row",
        0.4,
        r"limit\s{1,4}[0-9]{1,6}\s{0,3}(?:,\s{0,3}|offset\s{1,4})[0-9]{1,6}",
        r"\blimit\s{1,4}\d{1,6}\s{0,3}(?:,\s{0,3}|offset\s{1,4})\d{1,6}",
        "limit",
        before=30,
        after=4,
    ),
    _sign(
        "glued",
        0.5,
        r"(?:select|from|union|where)[\"'\[`{][a-z_.\s]",
        r"\b(?:select|from|union|where)(?:[\"'\[`]\w{1,40}[\"'\]`]|\{_?\s)",
        before=12,
        after=44,
    ),
    # the same ways out, in fewer letters
    _sign(
        "short",
        1.0,
        r"[a-z0-9_]['\"]\s{0,2}(?:or|and|xor|&&|\|\|)[\s\-+~!@(]{0,6}[a-z0-9_.@]{1,40}[\s)]{0,3}"
        r"(?:=|!=|<>|<|>|like|\^)[\s\-+!~]{0,4}['\"]",
        r"\w(?P<q>['\"])\s{0,2}(?:or|and|xor|&&|\|\|)(?:[\s\-+~!@(]{1,6})[\w.@]{1,40}[\s)]{0,3}"
        r"(?:=(?!=)|!=|<>|<|>|like|\^)[\s\-+!~]{0,4}(?P=q)",
        before=100,
        after=8,
    ),
    _sign(
        "comment",
        0.3,
        r"[a-z0-9_]\s{0,3}--[\s+]",
        r"\w\s{0,3}--(?=\s|\+)",
        "--",
        before=12,
        after=4,
    ),
    _sign(
        "short",
        1.0,
        r"into\s{1,8}(?:out|dump)file\s{0,8}(?:\(|[a-z]{2,20}\s{0,3}\()|"
        r"['\"]\s{0,3};\s{0,3}(?:if|while)\s{1,4}[0-9(]|"
        r"having[\s(]{1,6}(?:true|false|[0-9])\s{1,3}or\s|"
        r"[0-9]\s{1,4}order\s{1,4}by\s{1,4}(?:if|rand|\()|"
        r"[0-9'\")][\s)]{1,4}(?:and|or)[\s(]{1,4}select\s{1,4}[a-z_]{2,40}\(",
        r"into\s{1,8}(?:out|dump)file\s{0,8}(?:\(|[a-z]{2,20}\s{0,3}\()|"
        r"['\"]\s{0,3};\s{0,3}(?:if|while)\s{1,4}[\d(]|"
        r"\bhaving[\s(]{1,6}(?:true|false|\d{1,8})\s{1,3}or\s{1,3}(?:true|\d)|"
        r"\d\s{1,4}order\s{1,4}by\s{1,4}(?:if\s?\(|rand\s?\(|\(\s?select)|"
        r"(?:\d|['\"])[\s)]{1,4}(?:and|or)\s{0,4}\(\s{0,4}select\s{1,4}\w{2,40}\(",
        before=90,
        after=24,
    ),
    # brackets and statements in statements
    _sign(
        "nested",
        0.6,
        r"\(\s{0,4}select[\s(]",
        # not the body of a WITH or a CREATE ... AS
        rf"(?<![\s)]as)(?<![\s)]as\s)\(\s{{0,4}}select[\s(]{{1,6}}(?:distinct\s+|"
        rf"all\s+)?(?:\(?\s*select\b|"
        rf"[^().\n]{{1,80}}?\bfrom\s+\w|\d|'|\"|@|null\b|\*|{_FUNCTIONS}\s*\(|top\s+\d|case\b|"
        rf"[a-z_.]{{1,40}}\s*(?:,|\bfrom\b))",
        "select",
        before=90,
        after=120,
    ),
    # a value goes on as a condition: 24 and 1, 5 or id is null
    _sign(
        "after_number",
        0.6,
        r"[0-9'\")]\s{0,3}(?:where|and|or|xor|having|union|rlike|like|div|mod|in|is|between|"
        r"procedure|limit|into)[\s(+!~\-]{1,8}[a-z0-9'\"(@!~\-]",
        rf"(?:^\s*-?[\d.]{{1,24}}|[=?]\s*-?\d{{1,20}}|['\")])[\s)+]{{1,4}}(?:where|and|or|xor|"
        rf"having|rlike|div|mod)[\s(+!~\-]{{1,8}}{_VALUE}[\s)+]{{0,6}}(?:{_COMPARES}|\(|--|\#|"
        rf"/\*|\|\||&&|$|\band\b|\bor\b)",
        before=40,
        after=100,
    ),
)
