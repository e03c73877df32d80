"""The edge of the platform: `/api/<service>/…` goes to that service, everything else to the frontend.

Law: knows no service by name. A name is checked for its shape and becomes a host name, so new services just work.
"""
