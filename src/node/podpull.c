/* A container that waits for its image: the policy, the credentials, the rests after failures, and what is told of them
 * (upstream: pkg/kubelet/images/image_manager.go). */
#define LOG_AREA "node"
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "node/agent_impl.h"
#include "node/image.h"
#include "node/pod.h"

#define SHOW_ERROR_MS 1000  /* how long ErrImagePull is shown before it turns into ImagePullBackOff */
#define PULL_SECRETS_MAX 64 /* a pod names a few */

void container_refuse(struct container *c, const char *reason, const char *message)
{
    replace_str(&c->f.waiting_reason, reason);
    replace_str(&c->f.waiting_message, message);
    c->not_before_ms = clock_mono_ms() + plan_backoff(&c->backoff_ms, 0);
    if (c->f.state == CONTAINER_EXITED)
        c->f.backing_off = true;
}

/* --- credentials --- */

/* What the pod's imagePullSecrets say; those that are missing are told of, and pulling is tried without. */
static json_t *docker_config(struct pod *p, const json_t *doc, bool tell)
{
    const json_t *secrets[PULL_SECRETS_MAX];
    size_t n = 0, i;
    json_t *ref;
    struct buf missing = BUF_INIT(4096);
    json_array_foreach(jget(doc, "spec.imagePullSecrets"), i, ref) {
        const char *name = jstr_or(ref, "name", "");
        const json_t *secret = refs_get(p->refs, "secret", name);
        if (secret && n < PULL_SECRETS_MAX)
            secrets[n++] = secret;
        if (!secret)
            buf_addf(&missing, "%s%s", missing.len ? ", " : "", name);
    }
    if (missing.len && tell)
        pod_event(p, NULL, "Warning", "FailedToRetrieveImagePullSecret",
                  "Unable to retrieve some image pull secrets (%s); attempting to pull the image may not succeed.",
                  buf_str(&missing));
    buf_done(&missing);
    return image_auths(secrets, n);
}

/* --- pulling --- */

void pod_need_image(struct container *c, const char *image)
{
    struct pod *p = c->pod;
    _cleanup_json_ json_t *doc = pod_json(p);
    const char *policy = jstr_or(find_container(doc, c->f.name), "imagePullPolicy", "IfNotPresent");
    const char *message;
    int64_t retry_ms;
    if (streq(policy, "Never")) {
        _cleanup_free_ char *text = xasprintf("Container image \"%s\" is not present with pull policy of Never", image);
        container_refuse(c, "ErrImageNeverPull", text);
        pod_event(p, c, "Warning", "ErrImageNeverPull", "%s", text);
        pod_event(p, c, "Warning", "Failed", "Error: ErrImageNeverPull");
        return;
    }
    _cleanup_json_ json_t *config = docker_config(p, doc, true);
    const struct pull_what what = {image, config};
    enum pull_state state = pulls_state(p->agent->pulls, &what, &message, &retry_ms);
    if (state == PULL_FAILED) { /* for another pod, a moment ago: share its rest */
        _cleanup_free_ char *text = xasprintf("Back-off pulling image \"%s\": ErrImagePull: %s", image, message);
        replace_str(&c->f.waiting_reason, "ImagePullBackOff");
        replace_str(&c->f.waiting_message, text);
        c->not_before_ms = retry_ms;
        pod_event(p, c, "Normal", "BackOff", "Back-off pulling image \"%s\"", image);
        pod_event(p, c, "Warning", "Failed", "Error: ImagePullBackOff");
        return;
    }
    pod_event(p, c, "Normal", "Pulling", "Pulling image \"%s\"", image);
    c->pulling = true;
    c->pull_began_ms = clock_mono_ms();
    if (state == PULL_IDLE)
        pulls_start(p->agent->pulls, &what);
}

void pod_refuse_image_name(struct container *c, const char *image)
{
    _cleanup_free_ char *text = xasprintf("Failed to apply default image tag \"%s\": couldn't parse image name \"%s\": "
                                          "invalid reference format",
                                          image, image);
    container_refuse(c, "InvalidImageName", text);
    pod_event(c->pod, c, "Warning", "InspectFailed", "%s", text);
    pod_event(c->pod, c, "Warning", "Failed", "Error: InvalidImageName");
}

#define SHOW_ERROR_MS 1000 /* how long ErrImagePull is shown before it turns into ImagePullBackOff */

static void check_pull(struct pod *p, const json_t *doc, struct container *c, const char *image)
{
    _cleanup_json_ json_t *config = docker_config(p, doc, false);
    const struct pull_what what = {image, config};
    const char *message;
    int64_t retry_ms;
    enum pull_state state = pulls_state(p->agent->pulls, &what, &message, &retry_ms);
    if (state == PULL_RUNNING)
        return;
    c->pulling = false;
    if (state != PULL_FAILED) {
        c->pulled = true;
        pod_event(p, c, "Normal", "Pulled", "Successfully pulled image \"%s\" in %lldms", image,
                  (long long)(clock_mono_ms() - c->pull_began_ms));
        return;
    }
    replace_str(&c->f.waiting_reason, "ErrImagePull");
    replace_str(&c->f.waiting_message, message);
    c->not_before_ms = clock_mono_ms() + SHOW_ERROR_MS;
    pod_event(p, c, "Warning", "Failed", "Failed to pull image \"%s\": %s", image, message);
    pod_event(p, c, "Warning", "Failed", "Error: ErrImagePull");
}

void pod_check_pulls(struct pod *p, const json_t *doc)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->containers[i]->pulling)
            check_pull(p, doc, p->containers[i], jstr_or(find_container(doc, p->containers[i]->f.name), "image", ""));
}

void pod_images_changed(struct pod *p)
{
    static const char *const reasons[] = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"};
    for (size_t i = 0; i < p->n; i++)
        for (size_t r = 0; r < ARRAY_LEN(reasons); r++)
            if (streq(str_or(p->containers[i]->f.waiting_reason, ""), reasons[r]))
                p->containers[i]->not_before_ms = p->containers[i]->backoff_ms = 0;
    pod_kick(p);
}
