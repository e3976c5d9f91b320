/* What names and labels may look like, with upstream's messages (apimachinery pkg/util/validation). */
#pragma once

/* Checks a text. Returns NULL when it is fine, else the message upstream gives, static or in `scratch`. */
#define CHECK_SCRATCH_SIZE 512
typedef const char *check_fn(const char *value, char scratch[CHECK_SCRATCH_SIZE]);

check_fn check_dns_label;      /* RFC 1123 label: names of namespaces, containers, volumes */
check_fn check_dns_subdomain;  /* RFC 1123 subdomain: names of most objects */
check_fn check_dns1035_label;  /* names of Services */
check_fn check_qualified_name; /* [prefix/]name: keys of labels and annotations */
check_fn check_label_value;
