"""Deploys a platform of many services to Kubernetes, proves first that it fits, and explains what went wrong."""

__version__ = "0.1.0"
