"""One OpenTelemetry trace a call, built from its record after the client has its answer."""
