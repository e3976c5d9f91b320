/* What an agent may ask a container: probes and lifecycle handlers. */
#include "kinds/checks.h"
#include "kinds/fields.h"

static const struct field exec_action_fields[] = {
    {"command", F_LIST, REQ | NONEMPTY, STRINGS, .doc = "Program and arguments; no shell."},
    {0},
};

static const struct field http_header_fields[] = {
    {"name", F_STR, REQ, .check = check_http_header_name, .doc = "Name of the header."},
    {"value", F_STR, .doc = "Value of the header."},
    {0},
};

static const struct field http_get_action_fields[] = {
    {"path", F_STR, OPT, .dflt = "\"/\"", .doc = "Path of the request."},
    {"port", F_INT_OR_STR, REQ, .doc = "Number or name of the port."},
    {"host", F_STR, OPT, .doc = "Host to connect to; the pod's address if missing."},
    {"scheme", F_STR, OPT, .dflt = "\"HTTP\"", .oneof = ONE_OF("HTTP", "HTTPS"), .doc = "HTTP or HTTPS."},
    {"httpHeaders", F_LIST, OPT, LIST_OF(http_header_fields), .doc = "Headers of the request."},
    {0},
};

static const struct field tcp_socket_action_fields[] = {
    {"port", F_INT_OR_STR, REQ, .doc = "Number or name of the port."},
    {"host", F_STR, OPT, .doc = "Host to connect to; the pod's address if missing."},
    {0},
};

static const struct field grpc_action_fields[] = {
    {"port", F_INT, REQ, .min = 1, .max = 65535, .doc = "Number of the port."},
    {"service", F_STR, .dflt = "\"\"", .doc = "Service named in the health check."},
    {0},
};

static const struct field sleep_action_fields[] = {
    {"seconds", F_INT64, .doc = "For how long."},
    {0},
};

const struct field probe_fields[] = {
    {"exec", F_OBJECT, .sub = exec_action_fields, .doc = "A command in the container; exit code 0 is success."},
    {"httpGet", F_OBJECT, .sub = http_get_action_fields, .doc = "An HTTP request; status 200 to 399 is success."},
    {"tcpSocket", F_OBJECT, .sub = tcp_socket_action_fields, .doc = "A TCP connection."},
    {"grpc", F_OBJECT, .sub = grpc_action_fields, .doc = "A gRPC health check."},
    {"initialDelaySeconds", F_INT, OPT, .max = NO_MAX, .doc = "Seconds after the start before the first try."},
    {"timeoutSeconds", F_INT, OPT, .dflt = "1", .max = NO_MAX, .doc = "Seconds after which a try has failed."},
    {"periodSeconds", F_INT, OPT, .dflt = "10", .max = NO_MAX, .doc = "Seconds between tries."},
    {"successThreshold", F_INT, OPT, .dflt = "1", .max = NO_MAX,
     .doc = "Successes in a row after a failure that count as success."},
    {"failureThreshold", F_INT, OPT, .dflt = "3", .max = NO_MAX, .doc = "Failures in a row that count as failure."},
    {"terminationGracePeriodSeconds", F_INT64, .min = 1, .max = NO_MAX,
     .doc = "Replaces the pod's grace period when this probe ends the container."},
    {0},
};

static const struct field lifecycle_handler_fields[] = {
    {"exec", F_OBJECT, .sub = exec_action_fields, .doc = "A command in the container."},
    {"httpGet", F_OBJECT, .sub = http_get_action_fields, .doc = "An HTTP request."},
    {"tcpSocket", F_OBJECT, .sub = tcp_socket_action_fields, .doc = "Not supported; kept for old manifests."},
    {"sleep", F_OBJECT, .sub = sleep_action_fields, .doc = "Waits."},
    {0},
};

const struct field lifecycle_fields[] = {
    {"postStart", F_OBJECT, .sub = lifecycle_handler_fields,
     .doc = "Done right after the start; failing ends the container."},
    {"preStop", F_OBJECT, .sub = lifecycle_handler_fields,
     .doc = "Done before the stop signal; counts into the grace period."},
    {"stopSignal", F_STR, .doc = "Signal that asks the container to end."},
    {0},
};
