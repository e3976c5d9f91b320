/* Questions in the shape of objects: who is the bearer of this token, who am I. They are answered and never stored. */
#include <string.h>

#include "base/str.h"
#include "server/reviews.h"
#include "server/tokens.h"

json_t *review_decode(struct request *r)
{
    json_t *status = check_body_type(r->kind, r->body);
    if (!status)
        status = schema_decode_repeated(r->kind, r->body, r->validation, r->repeated, &r->warnings);
    return status ? status : check_identity(r, r->body);
}

void review_reply(struct request *r, json_t *answer_new)
{
    if (!jget(r->body, "metadata"))
        jset(r->body, "metadata", json_object());
    json_object_set_new(r->body, "status", answer_new);
    request_reply_document(r, 201, json_incref(r->body));
}

static json_t *review_token(struct request *r, const char *token)
{
    struct err err;
    json_t *audiences = jget(r->body, "spec.audiences"), *fitting = json_array();
    struct user *u = tokens_user(r->server, token, strlen(token), audiences, fitting, &err);
    if (!u) {
        json_decref(fitting);
        return json_pack("{s:{}, s:s}", "user", "error", err.msg);
    }
    json_t *answer = json_pack("{s:b, s:o, s:o}", "authenticated", 1, "user", user_info(u), "audiences", fitting);
    user_free(u);
    return answer;
}

void handle_token_review(struct request *r)
{
    json_t *status = review_decode(r);
    const char *token = jstr_or(r->body, "spec.token", "");
    if (!status && !*token)
        status = status_new(STATUS_BAD_REQUEST, "token is required for TokenReview in authentication");
    if (status)
        request_reply_status(r, status);
    else
        review_reply(r, review_token(r, token));
}

void handle_self_review(struct request *r)
{
    json_t *status = review_decode(r);
    if (status)
        request_reply_status(r, status);
    else
        review_reply(r, json_pack("{s:o}", "userInfo", user_info(r->user)));
}
