"""What hostile language is made of: own lists with hand-set weights, no model, no training text.

Left out on purpose: names of parties, religions, peoples, orientations and disabilities as such.
They go with hostility in many collections, and a gate for applications must not learn that.
"""

from typing import Final


def _weighted(*lists: tuple[float, str]) -> dict[str, float]:
    return {word: weight for weight, words in lists for word in words.split()}


WORDS: Final = _weighted(
    # contempt for a person
    (
        1.3,
        "idiot idiots idiotic moron morons moronic imbecile imbeciles cretin dimwit dimwits "
        "halfwit nitwit "
        "numbskull dumbo dumbest dummies loser losers scum scumbags lowlife lowlifes vermin "
        "subhuman subhumans "
        "parasite parasites degenerate degenerates trash trashy pervert perverts pedo pedos "
        "pedophile "
        "pedophiles paedo creep creeps creepy psychopath sociopath lunatic lunatics nutjob "
        "wacko whacko "
        "retarded retards tard tards libtard libtards crybaby crybabies buffoon buffoons bozo "
        "jerk jerks jerkoff   "
        "sob stfu gtfo kys simp simps incel incels cuck cucks thug thugs bigot bigots traitor "
        "traitors tyrant "
        "cockroach cockroaches maggot maggots leech leeches pig pigs swine hag crone whiny "
        "turd turds poop poopy crackpot dipstick dolt simpleton scoundrel sleazebag sleaze "
        "sleazy slimeball slimy wimp coward cowards cowardly "
        "hypocrite hypocrites hypocritical hypocrisy fatso lardass fatty hick hillbilly "
        "redneck inbred inbreds "
        "skank tramp bimbo hussy airhead sheeple savages savage barbarian barbarians "
        "puke vomit ugly fugly hideous brainless mindless spineless gutless toothless "
        "talentless shameless "
        "worthless useless pathetic disgusting disgusted disgrace disgraceful vile repulsive "
        "repugnant despicable deplorable "
        "filth filthy scammer scammers fraudster crook crooks conman bastards clown clowns "
        "freak freaks goon goons   "
        "weirdo weirdos wretch wretched dirtbag dirtbags sicko sickos witch demon demons devil",
    ),
    # contempt for what somebody says or does
    (
        0.8,
        "stupid stupidity dumb dumber dum ignorant ignorance clueless delusional demented "
        "deranged senile insane psycho "
        "crazy lame liar liars lying lied lies corrupt corruption criminal criminals evil wicked "
        "racist racists racism sexist nazi nazis hitler fascist fascists commie commies terrorist "
        "terrorists murderer murderers murder rapist rapists thief thieves cheat cheater "
        "cheating fraud "
        "fake phony phoney sham shame ashamed shameful embarrassment embarrassing joke "
        "incompetent incompetence "
        "brainwashed gullible narcissist narcissistic narcissists arrogant entitled selfish "
        "greedy hate hates hated "
        "hater haters hatred loathe despise whining whine crying screaming "
        "rot puppet puppets cult cultist cultists propaganda treason treasonous illegals thugs "
        "nasty rude obnoxious annoying bitter uninformed uneducated rubbish crap crappy "
        "damn goddamn hell suck sucks sucked sucking stink stinks stinking smelly butt asses anus "
        " piss shut",
    ),
    # harm
    (
        0.6,
        "kill killed killing kills die dies dying death torture tortured hang hanged hanging shot  "
        " bomb rape raped lynch lynched behead slaughter "
        "exterminate eradicate deport deported jail prison asylum    ",
    ),
    (
        -0.35,
        "thank thanks please love loved lovely great good nice awesome amazing beautiful glad "
        "happy sorry hope "
        "appreciate appreciated helpful welcome congratulations congrats agree enjoy enjoyed "
        "excited wonderful "
        "excellent perfect cool fun best interesting delicious super cute recommend experience",
    ),
)
"""Words and what each adds to hostility; kind words take away."""

ENDINGS: Final = (
    "tard",
    "tards",
    "tarded",
    "tardism",
    "tardation",
    "turd",
    "turds",
    "crap",
    "craps",
)
"""Endings that make an insult of any word."""

PHRASES: Final = (
    (
        2.2,
        r"(?:kill|hang|shoot|burn|gas|lynch|rape|behead|execute|exterminate|deport) (?:you|"
        r"yourself|them|him|her|all|every|these|those)",
    ),
    (
        2.0,
        r"(?:you|they|he|she|these \w+|those \w+) (?:all )?(?:should|deserves?|need|needs|ought|"
        r"must) (?:to )?(?:all )?(?:be )?(?:die|dead|shot|hang(?:ed)?|killed|tortured|jailed|"
        r"burn(?:ed)?|raped|lynched|deported|executed|locked up|put down|kicked)",
    ),
    (
        2.0,
        r"(?:i hope|hope) (?:you|he|she|they) (?:\w+ ){0,3}(?:die|dies|suffer|suffers|rot|rots|"
        r"burn|burns|cancer|falls? victim|choke)",
    ),
    (
        2.0,
        r"(?:go|get) (?:to hell|die|fuck|screw)|rot in (?:hell|jail|prison)|drop dead|burn in "
        r"hell|up yours|f+ (?:you|off|them|him|her|all|u)\b|screw (?:you|them|him|her)|get a "
        r"life|shut (?:the \w+ )?up|piss off|suck my|kiss my|eat shit|blow me",
    ),
    (
        1.6,
        r"(?:you|you're|you are|ur|u r|he is|he's|she is|she's|they are|they're|y'all|yall) "
        r"(?:\w+ ){0,4}(?:idiot|moron|stupid|dumb|loser|trash|scum|pathetic|ugly|fat|disgusting|"
        r"worthless|useless|liar|clown|joke|racist|evil|bitch|bitches|freak|creep|coward|"
        r"disgrace|fool|fools|piece of)",
    ),
    (
        1.3,
        r"piece of (?:\w+ )?(?:shit|crap|trash|garbage|dung|work)|waste of (?:space|oxygen|air|"
        r"skin)|brain (?:damage|dead)|iq of|zero iq|low iq|no brain|half.?wit|mentally retarded|"
        r"on her knees|on her back|"
        r"sleep(?:ing)? her way|legs (?:together|open)",
    ),
    (
        2.6,
        r"(?:go|send|sent) (?:them |him |her |you )?(?:all )?(?:back )?(?:to (?:your|their) "
        r"(?:own )?countr(?:y|ies)|back home|where (?:you|they) came from)|don'?t belong "
        r"(?:here|in this)",
    ),
    (0.8, r"(?:these|those|you) people (?:are|need|should|always)"),
    (
        1.0,
        r"\ba.?hole|\bb[*@#]+\w?|\bf[*@#&]+\w*|\bs[*@#]+t|\bp[u*@]+[*$s]+y|\ba[$*]{2}|"
        r"\bd[i!*]ck\w*|\bf (?:them|him|her|you|all|off)\b|\bwtf\b",
    ),
    (
        0.9,
        r"(?:can'?t|cannot) (?:stand|wait to see) (?:this|that|you|him|her|them|these)|sick of "
        r"(?:you|him|her|them|these|this|that)|no better than|what is wrong with (?:you|him|her|"
        r"them|people)|nobody (?:likes|cares|asked)|(?:needs?|have|has) to (?:resign|go away|"
        r"shut up|be stopped)|be gone",
    ),
)
"""Turns of phrase, on small letters."""

TRIGGERS: Final = (
    r"(?:should|deserves?|must|needs?|ought)[a-z ]{1,12}(?:dead|locked|put down|jailed)",
    r"hope (?:you|he|she|they)",
    r"(?:go|get) (?:to hell|fuck)|drop dead|up yours|get a life|kiss my|blow me",
    r"[^a-z]f+ (?:you|off|them|him|her|all|u)[^a-z]",
    r"piece of|waste of (?:space|oxygen|air|skin)|brain.dead|brain damage|[^a-z]iq of|(?:zero|"
    r"low) iq",
    r"no brain|half.?wit|on her (?:knees|back)|her way|legs (?:together|open)|fool",
    r"back home|came from|countr(?:y|ies)|don'?t belong|(?:these|those|you) people",
    r"[^a-z][a-z][*@#&$!]|a.?hole|wtf|she.it|dick",
    r"(?:can'?t|cannot) (?:stand|wait)|sick of|no better than|is wrong with|nobody (?:likes|"
    r"cares|asked)",
    r"ha(?:s|ve) to (?:resign|go away)|needs? to (?:resign|go away|be stopped)|be gone",
)
"""What else must be there for a turn of phrase to hold; none of the words needs to be."""
