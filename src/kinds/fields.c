/* Rows of items and values that tables share. */
#include "kinds/fields.h"

#include "kinds/checks.h"

const struct field string_item[] = {{.type = F_STR}};
const struct field int_item[] = {{.type = F_INT}};
const struct field int64_item[] = {{.type = F_INT64}};
const struct field bytes_item[] = {{.type = F_BYTES}};
const struct field quantity_item[] = {{.type = F_QUANTITY}};
const struct field label_value_item[] = {{.type = F_STR, .check = check_label_value}};
const struct field ip_item[] = {{.type = F_STR, .check = check_ip}};
const struct field cidr_item[] = {{.type = F_STR, .check = check_cidr}};
const struct field host_name_item[] = {{.type = F_STR, .check = check_dns_subdomain}};
const struct field namespace_name_item[] = {{.type = F_STR, .check = check_dns_label}};
