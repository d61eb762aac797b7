"""Personal data and secrets that do not belong into a prompt.

Each kind is spotted by its form and believed for its checksum, its issuer's rules or the words
around it; form alone is never enough where ordinary numbers share it. A candidate's own e-mail
address and telephone number are what an application is made of: they are found (`email`, `phone`)
so that they can be masked or counted, and only lists of several people's are an attempt to bring
others' data in (`people_list`).

The checks are own rules rather than presidio-analyzer's recognisers: those bring spaCy along for
what is arithmetic, and leave out context, lists and requests.
"""
