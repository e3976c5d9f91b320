/* A Corefile, CoreDNS's configuration, as far as the cluster's DNS can do what it says (docs/dns.md): what it cannot do
 * is an error, not silence. Syntax: coredns.io/manual/configuration. Pure. */
#pragma once
#include "dns/settings.h"

/* Into settings that hold nothing yet of what a Corefile says. */
int corefile_read(struct settings *s, const char *text, struct err *err);
