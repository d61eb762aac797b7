"""Skill names and how to find them in a text."""

import re


def _names(text: str) -> list[str]:
    return text.split(",")


TECHNICAL = _names(
    "Python,Java,JavaScript,TypeScript,C,C++,C#,Go,Golang,Rust,Ruby,PHP,Scala,Kotlin,Swift,R,Perl,"
    "MATLAB,Bash,SQL,NoSQL,HTML,CSS,Sass,React,Angular,Vue,Vue.js,Next.js,Node.js,Express,Django,"
    "Flask,FastAPI,Spring,Spring Boot,Rails,Ruby on Rails,Laravel,.NET,ASP.NET,GraphQL,REST,gRPC,"
    "PostgreSQL,MySQL,SQLite,Oracle,SQL Server,MongoDB,Redis,Cassandra,DynamoDB,Elasticsearch,"
    "Snowflake,BigQuery,Redshift,Databricks,Spark,Hadoop,Kafka,RabbitMQ,Airflow,dbt,Pandas,NumPy,"
    "scikit-learn,TensorFlow,PyTorch,Keras,Machine Learning,Deep Learning,NLP,Computer Vision,"
    "LLM,Data Analysis,Data Engineering,Statistics,Tableau,Power BI,Looker,Excel,AWS,Azure,GCP,"
    "Google Cloud,Docker,Kubernetes,Terraform,Ansible,Helm,Jenkins,GitHub Actions,GitLab CI,CI/CD,"
    "Git,Linux,Unix,Windows Server,Prometheus,Grafana,Microservices,Agile,Scrum,Jira,Figma,Sketch,"
    "Photoshop,Illustrator,SEO,SEM,Google Analytics,Salesforce,HubSpot,SAP,Workday,QuickBooks,"
    "GAAP,IFRS,Financial Modeling,AutoCAD,SolidWorks,Selenium,Cypress,Playwright,JUnit,pytest,"
    "iOS,Android,Flutter,React Native,Unity,Unreal Engine,Blockchain,Solidity,Cybersecurity,"
    "Penetration Testing,Network Security,TCP/IP,Cisco,VMware,ServiceNow,ITIL,PMP,Six Sigma"
)
SOFT = _names(
    "Communication,Leadership,Teamwork,Collaboration,Problem Solving,Problem-solving,Mentoring,"
    "Coaching,Time Management,Adaptability,Creativity,Critical Thinking,Negotiation,Empathy,"
    "Presentation,Public Speaking,Stakeholder Management,Conflict Resolution,Organization,"
    "Attention to Detail,Decision Making,Customer Service,Project Management,People Management"
)
SPOKEN = _names(
    "English,German,French,Spanish,Portuguese,Italian,Dutch,Polish,Czech,Russian,Ukrainian,"
    "Turkish,Arabic,Hebrew,Hindi,Urdu,Bengali,Tamil,Mandarin,Cantonese,Chinese,Japanese,Korean,"
    "Vietnamese,Thai,Indonesian,Malay,Swahili,Swedish,Norwegian,Danish,Finnish,Greek,Romanian,"
    "Hungarian,Bulgarian,Serbian,Croatian,Slovak,Latin,Punjabi,Persian,Farsi,Tagalog,Catalan,Kannada,Telugu,Marathi,Gujarati,Malayalam"
)
# Names that are also words or letters: they count only where skills are listed.
_AMBIGUOUS = _names(
    "C,R,Go,Express,Spring,REST,Oracle,Excel,Swift,Rust,Statistics,Sketch,Unity,Looker,Helm,Spark"
)


def _pattern(names: list[str], flags: int = 0) -> re.Pattern[str]:
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<![\w.+#-])(?:{'|'.join(map(re.escape, ordered))})(?![\w+#])", flags)


_EXACT = _pattern([n for n in TECHNICAL if n in _AMBIGUOUS])
_ANYCASE = _pattern([n for n in TECHNICAL if n not in _AMBIGUOUS], re.IGNORECASE)
_SOFT = _pattern(SOFT, re.IGNORECASE)
_SPOKEN = _pattern(SPOKEN)
_PROPER = {name.lower(): name for name in TECHNICAL + SOFT + SPOKEN}


def technical(text: str) -> list[str]:
    """Return the technical skills that a text names, in their usual spelling and order."""
    hits = [(m.start(), m[0]) for p in (_EXACT, _ANYCASE) for m in p.finditer(text)]
    return unique([_PROPER.get(name.lower(), name) for _, name in sorted(hits)])


def soft(text: str) -> list[str]:
    """Return the soft skills that a text names."""
    return unique([_PROPER[name.lower()] for name in _SOFT.findall(text)])


def spoken(text: str) -> list[str]:
    """Return the spoken languages that a text names."""
    return unique(_SPOKEN.findall(text))


def kind_of(name: str) -> str:
    """Tell whether a listed skill is `technical`, `soft` or `languages`."""
    first = re.split(r"[\s(:\u2013-]", name, maxsplit=1)[0]
    if name.lower() not in {t.lower() for t in TECHNICAL} and first.title() in SPOKEN:
        return "languages"
    return "soft" if name.lower() in {s.lower() for s in SOFT} else "technical"


def unique(names: list[str]) -> list[str]:
    """Keep the first of names that differ only in case."""
    seen: dict[str, str] = {}
    for name in names:
        seen.setdefault(name.lower(), name)
    return list(seen.values())
