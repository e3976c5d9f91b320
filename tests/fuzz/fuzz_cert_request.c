/* Any text: refused, or a request whose names are texts and which can be signed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cert/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cert_spec spec = {.common_name = "ca", .ca = true, .days = 1};
    static const char *const usages[] = {"digital signature", "client auth", NULL};
    static struct keypair ca;
    struct err err;
    if (!ca.cert)
        keypair_make(&ca, &spec, NULL, 1000000);
    struct cert_request *r = cert_request_parse((const char *)data, size, &err);
    if (!r)
        return 0;
    _cleanup_free_ char *pem = cert_request_sign(r, &ca, usages, 1000000, 2000000);
    if (!pem || !strstr(pem, "BEGIN CERTIFICATE"))
        abort();
    cert_request_free(r);
    return 0;
}
