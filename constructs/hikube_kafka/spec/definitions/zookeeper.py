"""What ZooKeeper takes in ``zoo.cfg``, and the faults of the entries that a user declares for it.

ZooKeeper has no definitions as Kafka has: it parses some keys, and turns every other into a property of the JVM,
``zookeeper.<key>``, without looking whether anything reads it; what is no number or no boolean then counts as its
default. Sources: ``QuorumPeerConfig`` and the properties that the classes of 3.8.4 (the local ensemble's) and 3.9.5
(the image's) read, and the administrator's guide for what they mean.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType

from hikube_kafka.spec.definitions.definition import Definition, Mismatch, Parsed, spelled
from hikube_kafka.spec.definitions.fault import HIDDEN, Fault
from hikube_kafka.spec.definitions.nearest import is_key, nearest, unknown_remedy
from hikube_kafka.spec.problem import Rule

_BOOLEANS = """
    admin.enableServer admin.forceHttps admin.needClientAuth admin.portUnification admin.restore.enabled
    admin.snapshot.enabled allowSaslFailedClients audit.enable client.certReload client.portUnification
    clientTcpKeepAlive closeSessionTxn.enabled connection_throttle_weight_enabled datadir.autocreate db.autocreate
    digest.enabled emulate353TTLNodes enableEagerACLCheck enforce.auth.enabled enforceQuota extendedTypesEnabled
    fips-mode follower.skipLearnerRequestToNextProcessor forceSnapshotSync
    forward_learner_requests_to_commit_processor_disabled IPAuthenticationProvider.usexforwardedfor jmx.log4j.disable
    jvm.pause.monitor kerberos.canonicalizeHostNames kerberos.removeHostFromPrincipal
    kerberos.removeRealmFromPrincipal leader.closeSocketAsync learner.asyncSending learner.closeSocketAsync
    localSessionsEnabled localSessionsUpgradingEnabled messageTracker.Enabled metricsProvider.exportJvmInfo
    multiAddress.enabled multiAddress.reachabilityCheckEnabled netty.advancedFlowControl.enabled
    netty.server.earlyDropSecureConnectionHandshakes observer.syncEnabled pathStats.enabled portUnification
    quorum.auth.enableSasl quorum.auth.learnerRequireSasl quorum.auth.serverRequireSasl request_stale_connection_check
    request_stale_latency_check request_throttle_drop_stale serializeLastProcessedZxid.enabled
    sessionRequireClientSASLAuth snapshot.trust.empty sslQuorum sslQuorumReloadCertFiles syncEnabled tcpKeepAlive
"""
_NUMBERS = """
    admin.httpVersion admin.idleTimeout admin.rateLimiterIntervalInMS bitHashCacheSize cnxTimeout commitLogCount
    commitProcessor.maxCommitBatchSize commitProcessor.maxReadBatchSize commitProcessor.numWorkerThreads
    commitProcessor.shutdownTimeout connection_throttle_fill_count connection_throttle_fill_time
    connection_throttle_freeze_time connection_throttle_global_session_weight connection_throttle_local_session_weight
    connection_throttle_renew_session_weight connection_throttle_tokens electionPortBindRetry
    fastleader.maxNotificationInterval fastleader.minNotificationInterval flushDelay fsync.warningthresholdms
    globalOutstandingLimit intBufferStartingSizeBytes jvm.pause.info-threshold.ms jvm.pause.sleep.time.ms
    jvm.pause.warn-threshold.ms kerberos.minReLoginTimeMs largeRequestMaxBytes largeRequestThreshold
    leader.ackLoggingFrequency leader.maxConcurrentDiffSyncs leader.maxConcurrentSnapSyncs leader.maxTimeToWaitForEpoch
    leaderConnectDelayDuringRetryMs maxBatchSize maxCnxns maxGetChildrenResponseCacheSize maxInProcessingDeadWatchers
    maxResponseCacheSize maxWriteQueuePollTime messageTracker.BufferSize metricsProvider.maxQueueSize
    metricsProvider.numWorkerThreads metricsProvider.workerShutdownTimeoutMs multiAddress.reachabilityCheckTimeoutMs
    netty.server.outstandingHandshake.limit nio.directBufferBytes nio.numSelectorThreads nio.numWorkerThreads
    nio.sessionlessCnxnTimeout nio.shutdownTimeout observer.election.DelayMs observer.reconnectDelayMs
    observerMaster.sizeLimit pathStats.delay pathStats.initialDelay pathStats.maxDepth pathStats.slotCapacity
    pathStats.slotDuration pathStats.topPathMax preAllocSize quorumCnxnTimeoutMs request.timeout
    request_throttle_max_requests request_throttle_stall_time request_throttler.shutdownTimeout snapSizeLimitInKb
    throttled_op_wait_time txnLogSizeLimitInKb watcherCleanIntervalInSeconds watcherCleanThreadsNum
    watcherCleanThreshold
"""
_DECIMALS = """
    connection_throttle_decrease_ratio connection_throttle_drop_decrease connection_throttle_drop_increase
    pathStats.sampleRate snapshotSizeFactor
"""
_TEXTS = """
    admin.commandURL admin.serverAddress audit.impl.class DigestAuthenticationProvider.digestAlg
    DigestAuthenticationProvider.enabled enforce.auth.schemes ensembleAuthName jmx.log4j.mbean kinit letAnySaslUserDoX
    metricsProvider.className metricsProvider.httpHost oraclePath quorum.auth.kerberos.servicePrincipal
    quorum.auth.learner.saslLoginContext quorum.auth.server.saslLoginContext requireKerberosConfig sasl.serverconfig
    secureClientPortAddress security.auth_to_local serverCnxnFactory snapshot.compression.method superUser
    watchManagerName X509AuthenticationProvider.superUser
"""
_TLS = """
    ciphersuites clientAuth context.supplier.class crl enabledProtocols handshakeDetectionTimeoutMillis
    hostnameVerification clientHostnameVerification keyStore.location keyStore.passwordPath keyStore.type ocsp protocol
    trustStore.location trustStore.passwordPath trustStore.type allowReverseDnsLookup fips-mode
"""
_SECRETS = """
    DigestAuthenticationProvider.superDigest SASLAuthenticationProvider.superPassword ssl.keyStore.password
    ssl.trustStore.password ssl.quorum.keyStore.password ssl.quorum.trustStore.password
"""
_LONGEST_TICK = (2**31 - 1) // 20
"""Milliseconds: the longest session is 20 ticks, in 32 bits."""
_RANGES: Mapping[str, tuple[int, int | None, tuple[int, ...]]] = {
    "autopurge.purgeInterval": (0, None, (-1,)),
    "autopurge.snapRetainCount": (3, None, ()),
    "clientPortListenBacklog": (1, None, (0, -1)),
    "connectToLearnerMasterLimit": (0, None, ()),
    "electionAlg": (3, 3, ()),
    "initLimit": (1, None, ()),
    "maxClientCnxns": (0, None, (-1,)),
    "maxSessionTimeout": (0, None, (-1,)),
    "minSessionTimeout": (0, None, (-1,)),
    "quorum.cnxn.threads.size": (1, None, ()),
    "snapCount": (2, None, ()),
    "syncLimit": (1, None, ()),
    "tickTime": (1, _LONGEST_TICK, ()),
}
"""Least and most, and single values beside them."""
_CHOICES = {
    "forceSync": ("yes", "no"),
    "leaderServes": ("yes",),
    "peerType": ("PARTICIPANT",),
    "skipACL": ("yes", "no"),
}
"""A leader that serves nobody never gets ready, and of servers that all observe none could lead."""

PORTS: Mapping[str, int | None] = {
    "admin.serverPort": 8080,
    "metricsProvider.httpPort": 7000,
    "observerMasterPort": None,
    "secureClientPort": None,
}
"""Keys for further ports of a server, with ZooKeeper's defaults; None means that the port is not opened."""

_DOCUMENTED = {
    "advancedFlowControlEnabled": "netty.advancedFlowControl.enabled",
    "connectionDecreaseRatio": "connection_throttle_decrease_ratio",
    "connectionDropDecrease": "connection_throttle_drop_decrease",
    "connectionDropIncrease": "connection_throttle_drop_increase",
    "connectionFreezeTime": "connection_throttle_freeze_time",
    "connectionMaxTokens": "connection_throttle_tokens",
    "connectionTokenFillCount": "connection_throttle_fill_count",
    "connectionTokenFillTime": "connection_throttle_fill_time",
    "maxConcurrentDiffSyncs": "leader.maxConcurrentDiffSyncs",
    "maxConcurrentSnapSyncs": "leader.maxConcurrentSnapSyncs",
    "maxTimeToWaitForEpoch": "leader.maxTimeToWaitForEpoch",
    "outstandingHandshake.limit": "netty.server.outstandingHandshake.limit",
    "requestStaleConnectionCheck": "request_stale_connection_check",
    "requestStaleLatencyCheck": "request_stale_latency_check",
    "requestThrottleDropStale": "request_throttle_drop_stale",
    "requestThrottleLimit": "request_throttle_max_requests",
    "requestThrottleStallTime": "request_throttle_stall_time",
    "throttledOpWaitTime": "throttled_op_wait_time",
}
"""Names of the administrator's guide under which nothing is read, each with the key of the same property."""

_OF_THE_JVM = frozenset(
    {
        "jute.maxbuffer",
        "readonlymode.enabled",
        "znode.container.checkIntervalMs",
        "znode.container.maxNeverUsedIntervalMs",
        "znode.container.maxPerMinute",
    }
)
"""Properties without ``zookeeper.`` before them, which no entry of ``zoo.cfg`` sets."""

_UNSAFE = {
    ("db.autocreate", "false"): "a server without data waits for a file that nobody writes, and never starts",
    ("enforce.auth.enabled", "true"): "brokers do not log in, and would be refused",
    ("forceSync", "no"): "a server that crashes forgets what it has acknowledged",
    ("sessionRequireClientSASLAuth", "true"): "brokers do not log in, and would be refused",
    ("skipACL", "yes"): "everybody who reaches a server may change everything, who votes included",
    ("snapshot.trust.empty", "true"): "a server that has lost its snapshots starts with what is left",
}
"""What is taken and works against the platform, by key and value."""

UNSAFE = Rule(
    id="zookeeper-config-unsafe",
    severity="warning",
    message="{key} = {value}: {consequence}.",
    why="ZooKeeper takes it, and the platform may lose what it relies on.",
    remedy="Leave it out, unless you know why it is needed.",
    message_in_general="ZooKeeper takes the value, and data or access may be lost by it.",
)


@cache
def zookeeper_definitions() -> Mapping[str, Definition]:
    """Every key of ``zoo.cfg``, by name, as of ZooKeeper 3.8 and 3.9."""
    found = [Definition(name=name, type="BOOLEAN", importance="medium") for name in _BOOLEANS.split()]
    found += [Definition(name=name, type="LONG", importance="medium") for name in _NUMBERS.split()]
    found += [Definition(name=name, type="DOUBLE", importance="medium") for name in _DECIMALS.split()]
    found += [
        Definition(name=name, type="STRING", importance="medium")
        for name in (
            *_TEXTS.split(),
            *(f"{prefix}{each}" for prefix in ("ssl.", "ssl.quorum.") for each in _TLS.split()),
        )
    ]
    found += [Definition(name=name, type="PASSWORD", importance="medium") for name in _SECRETS.split()]
    found += [
        Definition(name=name, type="INT", importance="medium", minimum=least, maximum=most, also=also)
        for name, (least, most, also) in _RANGES.items()
    ]
    found += [
        Definition(name=name, type="STRING", importance="medium", allowed=choices, ignore_case=choices[0].isupper())
        for name, choices in _CHOICES.items()
    ]
    found += [Definition(name=name, type="INT", importance="medium", minimum=1, maximum=65_535) for name in PORTS]
    return MappingProxyType({each.name: each for each in found})


def check_zookeeper_config(config: Mapping[str, str], computed: Mapping[str, str]) -> Iterator[Fault]:
    """Everything that is wrong with the entries that a user declares for the ZooKeeper servers.

    What belongs to the platform is not among them: a rule of its own refuses it.

    Args:
        config: The entries, by ZooKeeper's key, as text.
        computed: What stands in ``zoo.cfg`` for what the user leaves out.
    """
    parsed: dict[str, Parsed] = {}
    for key, value in config.items():
        definition = zookeeper_definitions().get(key)
        if definition is None:
            if not key.startswith(("authProvider.", "metricsProvider.")):
                yield _no_key(key)
            continue
        try:
            parsed[key] = definition.parse(value)
        except Mismatch as mismatch:
            yield Fault(
                key=key,
                value=HIDDEN if definition.sensitive else value,
                rule=mismatch.rule,
                problem=f"'{key}' is {value!r}, and must be {mismatch.demand}.",
                remedy="Write such a value, or leave the entry out.",
            )
    yield from _conflicts(config, parsed, computed)


def unsafe(config: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Each entry that works against the platform: key, value and consequence."""
    for key, value in config.items():
        if consequence := _UNSAFE.get((key, value.lower())):
            yield key, value, consequence


def session_bounds(settings: Mapping[str, str]) -> tuple[int, int] | None:
    """Milliseconds of the shortest and of the longest session; None where an entry that decides is no number.

    Args:
        settings: the entries in force.
    """
    definitions = zookeeper_definitions()
    try:
        tick, least, most = (
            int(str(definitions[key].parse(settings.get(key, "-1"))))
            for key in ("tickTime", "minSessionTimeout", "maxSessionTimeout")
        )
    except Mismatch:
        return None
    return (2 * tick if least < 0 else least), (20 * tick if most < 0 else most)


def tick_time(settings: Mapping[str, object]) -> int | None:
    """Milliseconds of a tick; None where no ``tickTime`` that ZooKeeper takes is among the settings."""
    if "tickTime" not in settings:
        return None
    definition = zookeeper_definitions()["tickTime"]
    try:
        return int(str(definition.parse(spelled(None, settings["tickTime"]))))
    except Mismatch:
        return None


def _no_key(key: str) -> Fault:
    definitions = zookeeper_definitions()
    bare = key.removeprefix("zookeeper.")
    found = nearest(bare, definitions)
    problem = f"'{key}' is not a setting of ZooKeeper, which would ignore it."
    keys = found.keys
    if key in _OF_THE_JVM:
        problem = f"'{key}' is read from the JVM's options, and nothing reads it in zoo.cfg."
        remedy = f'Declare KubernetesTarget(zookeeper_jvm_options=("-D{key}=...",)) instead.'
    elif bare in definitions or bare in _DOCUMENTED:
        keys = (_DOCUMENTED.get(bare, bare),)
        remedy = f"Write '{keys[0]}': ZooKeeper makes the property zookeeper.{keys[0]} of it."
    elif found.misspelt:
        first, *others = (f"'{each}'" for each in keys)
        remedy = f"Write {first}{''.join(f' or {other}' for other in others)}."
    else:
        return Fault(
            key=key,
            value=HIDDEN,
            rule="unknown-key",
            severity="warning" if is_key(key) else "error",
            problem=f"'{key}' is not a setting of ZooKeeper, which ignores it unless a plugin reads it.",
            remedy=unknown_remedy(key),
        )
    return Fault(key=key, value=HIDDEN, rule="unknown-key", problem=problem, remedy=remedy, nearest=keys)


def _conflicts(config: Mapping[str, str], parsed: Mapping[str, Parsed], computed: Mapping[str, str]) -> Iterator[Fault]:
    def conflict(key: str, problem: str, remedy: str) -> Fault:
        return Fault(key=key, value=config[key], rule="conflict", problem=problem, remedy=remedy)

    bounds = session_bounds({**computed, **config})
    if bounds and bounds[0] > bounds[1]:
        key = next(key for key in ("minSessionTimeout", "maxSessionTimeout", "tickTime") if key in config)
        yield conflict(
            key,
            f"the shortest session (minSessionTimeout, or two ticks) is {bounds[0]} ms, and the longest "
            f"(maxSessionTimeout, or twenty ticks) {bounds[1]} ms; ZooKeeper does not start.",
            "Lower 'minSessionTimeout' or raise 'maxSessionTimeout'.",
        )
    for needed, key in (
        ("quorum.auth.enableSasl", "quorum.auth.learnerRequireSasl"),
        ("quorum.auth.learnerRequireSasl", "quorum.auth.serverRequireSasl"),
    ):
        if parsed.get(key) is True and parsed.get(needed) is not True and needed not in config.keys() - parsed.keys():
            yield conflict(
                key,
                f"'{key}' is true while '{needed}' is not; ZooKeeper does not start.",
                f"Set '{needed}' to true as well, or leave '{key}' out.",
            )
    if "secureClientPortAddress" in config and "secureClientPort" not in config:
        yield conflict(
            "secureClientPortAddress",
            "'secureClientPortAddress' is set while 'secureClientPort' is not; ZooKeeper does not start.",
            "Set 'secureClientPort' as well, or leave the address out.",
        )
    ports = further_ports({**computed, **config})
    for port in sorted({port for port in ports.values() if list(ports.values()).count(port) > 1}):
        keys = [key for key, each in ports.items() if each == port]
        yield conflict(
            next((key for key in keys if key in config), next(iter(config))),
            f"{' and '.join(repr(key) for key in keys)} are both {port}; only one of them gets the port.",
            "Give each a port of its own.",
        )


def further_ports(settings: Mapping[str, str]) -> dict[str, int]:
    """The ports that a server opens beside those of clients and peers, by key, as far as they are numbers.

    Args:
        settings: the entries in force.
    """
    ports = {key: settings.get(key, default) for key, default in PORTS.items()}
    if settings.get("admin.enableServer", "true").lower() == "false":
        del ports["admin.serverPort"]
    if not settings.get("metricsProvider.className", "").endswith("PrometheusMetricsProvider"):
        del ports["metricsProvider.httpPort"]
    definitions = zookeeper_definitions()
    return {
        key: int(str(port))
        for key, port in ports.items()
        if port is not None and definitions[key].check(str(port)) is None
    }
