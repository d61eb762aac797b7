"""What every page of the console shares: sessions, forms that cannot be forged, headers, layout.

Pages are made on the server and work without any script; htmx (vendored, no build step) only saves
reloading. Nothing is fetched from elsewhere, and the Content-Security-Policy allows nothing else.
"""
