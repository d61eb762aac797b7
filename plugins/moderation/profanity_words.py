"""The words: own list, in English, by how much they offend. Leet and doubling are not listed."""

from typing import Final

SEVERE: Final = frozenset(
    "cunt fag faggot nigger nigga kike spic chink gook wetback raghead towelhead tranny shemale "
    "dyke coon paki motherfucker motherfuck cocksucker retard golliwog beaner sandnigger "
    "jigaboo cumslut cumdumpster fudgepacker carpetmuncher niggah nigguh "
    "niglet negroid faget fagot wigger darkie mongoloid".split()
)
"""Slurs and the like."""

STRONG: Final = frozenset(
    "fuck fuk fuc fck fucker fucktard fuckwit fuckface fuckup clusterfuck mindfuck unfuck shit shitty shite "
    "shitshow shitload shitstain bullshit horseshit batshit dipshit apeshit asshole arsehole ass asses "
    "asshat asswipe jackass dumbass badass smartass fatass lardass kickass dumbfuck bitch biatch bitchy bastard "
    "whore slut slutty skank dick dickhead dickwad douchebag douche cock cockhead pussy twat wanker "
    "wank tosser prick bollocks bellend knobhead minge fanny bugger piss pissed pissoff cum cumshot jizz "
    "blowjob handjob rimjob dildo tits titties titty boobs boobies tosspot numpty arse "
    "goddamn goddamnit wtf stfu gtfo milf gangbang deepthroat bukkake buttfuck buttplug "
    "queef cameltoe smegma spunk schlong scrote ballsack nutsack jerkoff scumbag "
    "thot hooker bimbo porn porno fcuk feck fck fook mofo mofos boner dogshit pigshit "
    "chickenshit shithole shitfaced shitbag shitbird shitbrain shitface shithouse shits shat pussies wnker jackoff "
    "jackarse arsewipe goddammit sonofabitch hoe hoes homos lesbo punani choad gangbanger "
    "anilingus cunnilingus masturbate masturbating motherfckin mfer mfing bollock knobend knobber nobhead".split()
)
"""What has no place in an interview."""

MILD: Final = frozenset(
    "damn dammit damned crap crappy hell bloody heck idiot moron stupid dumb suck".split()
)
"""What people say when something goes wrong."""

INSIDE: Final = frozenset("fuck phuck bitch nigga nigger motherf mothaf cocksuck".split())
"""Words that no innocent word and no name holds, but those below."""

INNOCENT: Final = frozenset(
    "assess assessed assesses assessing asset assets snigger sniggers sniggered sniggering "
    "cumming cummings cumin hoed hoeing shitake".split()
)
"""Words that doubled letters or endings would make of others."""

NAMES: Final = frozenset(
    "dick dicks cock cocks fanny fannys fuk fuc cum coon prick hooker bugger tit tits titty ass gook dyke spunk "
    "beaner paki wank bastard douche twat chink minge cox kike piss".split()
)
"""Also first names, surnames or places: Dick, Cock, Fanny, Fuk, Coon, Hooker, Van Dyke."""
