"""Which secret a database belongs to: keys made with another one would be refused elsewhere."""

import hmac

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from plugins.core.errors import Conflict
from plugins.store.tables import directory
from plugins.tenancy.rules import KeyHasher


async def claim(connection: AsyncConnection, hasher: KeyHasher) -> None:
    """Bind the database to this secret, or see that it is the one it is bound to.

    Args:
        connection: in a transaction; the first secret to come is kept with it.
        hasher: this installation's.

    Raises:
        Conflict: when the database's keys are hashed with another secret.
    """
    kept = select(directory.c.fingerprint)
    found = (await connection.execute(kept)).scalar_one()
    if found is None:
        ours = update(directory).values(fingerprint=hasher.fingerprint)
        await connection.execute(ours.where(directory.c.fingerprint.is_(None)))
        found = (await connection.execute(kept)).scalar_one()  # another replica may be first
    if not hmac.compare_digest(bytes(found), hasher.fingerprint):
        raise Conflict(
            "SLUICE_SECRET is not the secret that this database's keys were made with: set it to"
            " that of the gateways which use this database (`sluice up` keeps one in the file"
            " `secret` of its data directory), or use another database",
            code="wrong_secret",
        )
