"""SQL injection: breaking out of a value is one, text about SQL is none."""

import pytest

from plugins.moderation.reader import Reader
from plugins.moderation.sql import Field, SqlInjection

PROSE = Reader([SqlInjection()])
SHORT = Reader([SqlInjection(Field.SHORT)])

ATTACKS = [
    "' or 1=1--",
    "' OR '1'='1",
    '" or ""="',
    "x' and 'a'='b",
    "5 or 1=1",
    "1) or (1=1",
    "1' union select null, null, version()--",
    "-7 UNION ALL SELECT 1,2,concat(login,0x3a,pass),4 FROM members",
    "-1 /*!50000union*/ /*!50000select*/ 1,2,3",
    "9/**/union/**/select/**/1,2,user()/**/from/**/dual",
    "1%20union%20select%201,password%20from%20users--",
    "1+UNION+SELECT+1,2,3",
    "&#39; or 1=1 --",
    "\u2019 or 1=1--",
    "\uff07 \uff2f\uff32 1=1--",
    "'; drop table candidates; --",
    "1; delete from users where 1=1",
    "'; exec xp_cmdshell 'dir'--",
    "'; waitfor delay '0:0:5'--",
    "1 and sleep(5)--",
    "1' and benchmark(5000000,md5(1))#",
    "1 and ascii(substring((select password from users limit 1),1,1))>64",
    "1' order by 7--",
    "recruiter'--",
    "1 and extractvalue(1,concat(0x7e,version()))",
    "1' and (select count(*) from information_schema.tables)>0--",
    "' || (select version()) || '",
    "1 into outfile '/var/www/x.php'",
    "7 and 3 not between 1 and 2",
    "9'#a1b\nAND#zz\n7=7#",
    "3--qq\nor--ww\n2=2",
    "%u0027+%u006fr 1=1--",
    "x' and {d 4} = {d 4} -- -",
    "7' or '[1]'::json->>0 = '1'--",
    "7' AND JSON_LENGTH('{}') <= 8896--",
    '{"order_by": "(SELECT CASE WHEN role=1 THEN 1 END FROM staff)"}',
    "sort=(case when (select count(*) from t)>1 then 1 else 2 end)",
    "-1 where 1=1 -- -",
    "1'     union" + " " * 80 + "select 1,2,3",
]

HONEST = [
    "10 years of SQL: SELECT, JOIN, DROP TABLE",
    "I tuned SELECT * FROM orders WHERE status = 'open' AND total > 100 ORDER BY 2;",
    "The difference between UNION and UNION ALL SELECT statements",
    "SELECT name FROM a UNION SELECT name FROM b;",
    "SELECT dept, COUNT(*) FROM emp GROUP BY dept HAVING COUNT(*) > 5 -- big departments",
    "Hardened APIs against SQL injection (union-based, blind, stacked queries).",
    "Led a union of 300 workers; select members and 12 delegates",
    "UPDATE employees SET salary = salary * 1.1 WHERE rating = 5;",
    "DROP TABLE IF EXISTS temp_results; CREATE TABLE temp_results (id int);",
    "SELECT first_name || ' ' || last_name AS name FROM a WHERE city = 'Rome' OR city = 'Paris';",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public';",
    "The candidates' and recruiters' needs come first; O'Brien's team agreed.",
    "He's the one who said 'yes' and 'no' -- both.",
    "Salary > 50000 and years >= 3; between 2 and 5",
    "if x == 'a' and 'b' in y: print(\"ok\")  # python",
    "MySQL 8; create dashboards; update documentation; 2019--2021",
    "Ran time.sleep(5) in loops; C# -- 5 years; F# # functional",
    "WHERE name = 'Bob' AND age = 30",
    "Query builders start with WHERE 1=1 and append AND active = 1.",
    "DELETE FROM staging WHERE 1=1 AND loaded < '2020-01-01'",
    "UPDATE stock SET n = n - 1 WHERE id = 7; UPDATE stock SET n = n + 1 WHERE id = 8;",
    "SELECT a FROM t WHERE b = 'x'; DELETE FROM t WHERE b = 'x'; COMMIT;",
    "WITH top AS (SELECT id, count(*) FROM hires GROUP BY 1) SELECT * FROM top ORDER BY 2 DESC;",
    "CREATE VIEW v AS (SELECT dept, sum(pay) FROM staff GROUP BY 1) ORDER BY 2;",
    '{"tags": {"a": 1}, "note": "(select one)", "why": "(if any)"}',
    "I wrote: mode = 'fast' / 'slow', key = b'name' = b'ann', re.match(r'a|b', 'ab12')",
    "Return 'Old English' instead of 'English'; use 'left'/'right' or \"up\".",
    "# Skills\nand more\n## 1 = beginner, 5 = expert",
]


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_found_alone(attack: str) -> None:
    assert PROSE.found(attack)


@pytest.mark.spec("10.1")
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_found_in_prose_at_its_place(attack: str) -> None:
    before = "I have led teams of twelve for many years. "
    text = f"{before}{attack} I am available from June."
    (hit, *_) = PROSE.found(text)["sql_injection"]
    assert hit.start < len(before) + len(attack)
    assert hit.end > len(before)


@pytest.mark.spec("10.5")
@pytest.mark.parametrize("text", HONEST)
def test_text_about_sql_passes(text: str) -> None:
    assert PROSE.found(text) == {}


@pytest.mark.parametrize(
    "value", ["Smith' or surname like 'A", "Rome; waitfor delay '0:0:1'", "x' order by 3", "1 or 1"]
)
def test_a_short_field_is_held_to_more(value: str) -> None:
    assert SHORT.found(value)


@pytest.mark.parametrize(
    "value",
    [
        "O'Brien",
        "D'Angelo-Smith",
        "Jean-Luc d'Arc",
        "L'Aquila",
        "Stratford-upon-Avon",
        "50 & 51 High St",
        "Select Staffing",
        "Union Square",
        "Drop, Table",
        "1 or 2 years",
        "McDonald's #3",
    ],
)
def test_a_short_field_holds_names_and_towns(value: str) -> None:
    assert SHORT.found(value) == {}


@pytest.mark.parametrize(
    "text",
    [
        "x where y = 'select a from b'; drop table candidates; --",
        "I know select a from b, and 1'; drop table candidates; --",
    ],
)
def test_a_statement_inside_the_value_does_not_hide_the_break_out(text: str) -> None:
    assert PROSE.found(text)


def test_a_short_field_is_at_least_as_strict() -> None:
    assert all(SHORT.found(attack) for attack in ATTACKS)
