"""Whether people have to sign in."""

# True: whoever gives a name is believed. False: only a token of an issuer in auth_config.py says who somebody is.
NAME_IS_ENOUGH = True
