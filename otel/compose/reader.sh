#!/bin/sh
# A login that may read nothing until it is granted: docs/observability.md has the statement.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$SLUICE_READER_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
CREATE ROLE sluice_reader LOGIN PASSWORD :'password' CONNECTION LIMIT 8;
ALTER ROLE sluice_reader SET default_transaction_read_only = on;
ALTER ROLE sluice_reader SET statement_timeout = '10s';
SQL
