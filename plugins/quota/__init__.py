"""Monthly quotas of tenants (SPEC 11.3): their use, a warning at 80 %, an alert above 100 %.

They warn only: no call is refused for a quota. Money is Decimal; a month is a calendar month, UTC.
One worker at a time reads the sums (`watch.py`); PostgreSQL keeps what has been told, so that each
alert is raised once a month for each quota whichever workers come and go.
"""
