"""Who calls: admin keys now; end-user tokens are refused until an app configures providers."""

from convexpy.auth._keys import AdminKeys, InvalidKey, complete_identity, create_instance_secret

__all__ = ["AdminKeys", "InvalidKey", "complete_identity", "create_instance_secret"]
