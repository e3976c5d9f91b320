/* proxy: test_proxy_hostports.c over IPv6. */
#define OVER_IPV6
#include "test_proxy_hostports.c"
