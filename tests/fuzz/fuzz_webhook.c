/* Any bytes as the answer of a webhook: read to the end or refused with a reason; what refuses is a Status of a
 * failure, what changes is a document for the patch reader. */
#include <stdint.h>
#include <stdlib.h>

#include "json/json.h"
#include "json/patch.h"
#include "server/webhook_match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct webhook_answer a;
    _cleanup_json_ json_t *review =
        json_pack("{s:s, s:{s:s}}", "apiVersion", "admission.k8s.io/v1", "request", "uid", "U");
    _cleanup_json_ json_t *doc = json_pack("{s:{}}", "metadata");
    if (webhook_answer_read("a.b.c", review, (const char *)data, size, &a, &err) < 0) {
        if (!*err.msg)
            abort();
    } else {
        int64_t code = jint(a.refusal, "code", 0);
        if (a.refusal && (code < 400 || code > 599 || !jstr(a.refusal, "message")))
            abort();
        _cleanup_json_ json_t *changed = a.patch ? json_patch_apply(doc, a.patch, &err) : NULL;
    }
    webhook_answer_done(&a);
    return 0;
}
