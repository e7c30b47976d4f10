"""The parts that a Channel over HTTP needs: calls of the platform's own hosts only, time-outs, and bounded downloads.

A channel makes each call with `PlatformHttp`, whose `PlatformHosts` decide which servers get its credentials.
Redirects, proxies, sizes and lost responses are then taken care of.
"""

from polyant.adapters.channels.platform_hosts import PlatformHosts
from polyant.adapters.channels.platform_http import CallFailedError, PlatformHttp, PlatformResponse, bearer, json_body

__all__ = ["CallFailedError", "PlatformHosts", "PlatformHttp", "PlatformResponse", "bearer", "json_body"]
