/* More formats of text than those of names, with upstream's messages (apimachinery pkg/util/validation). */
#pragma once
#include "kinds/kind.h"

check_fn check_port_name; /* IANA service name */
check_fn check_ip;
check_fn check_cidr;
check_fn check_env_name;
check_fn check_data_key; /* keys of ConfigMaps and Secrets */
check_fn check_http_header_name;
check_fn check_absolute_path;
check_fn check_path_without_parents;
check_fn check_relative_path; /* and without parents */
check_fn check_path_segment;  /* any text that can be a segment of a path: "system:node" is a name */
check_fn check_file_path;     /* of a file in a volume: relative, and does not begin with ".." either */

/* Addresses that an endpoint can have: not those that mean "nobody", "myself" or "my link". */
check_fn check_endpoint_ip, check_endpoint_ipv4, check_endpoint_ipv6;
check_fn check_fqdn; /* a subdomain of at least two labels; a dot may follow */

bool is_ipv4(const char *s);
bool is_ipv6(const char *s);
