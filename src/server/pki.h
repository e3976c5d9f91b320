/* The cluster's certificates, as kubeadm lays them out, in DATA_DIR/pki: made once (ECDSA P-256, CA ten years, leaves
 * one year and renewed at start, and by renew.h, when less than thirty days are left), and the kubeconfig that carries
 * them. */
#pragma once
#include "base/err.h"

struct pki {
    char *dir;
    char *ca_cert, *ca_key;         /* paths of PEM files, all of them */
    char *server_cert, *server_key; /* serverAuth; names and addresses given to pki_ensure */
    char *admin_cert, *admin_key;   /* O=system:masters, CN=kubernetes-admin */
    char *kubelet_client_cert,
        *kubelet_client_key; /* server -> agents: O=system:masters, CN=kube-apiserver-kubelet-client */
    char *front_proxy_ca, *front_proxy_ca_key; /* its own CA: who has a certificate of it may speak for everybody */
    char *front_proxy_cert, *front_proxy_key;  /* server -> servers of APIServices: CN=front-proxy-client */
    char **names;                              /* of the API server */
    char *sa_key, *sa_pub; /* what signs the tokens of ServiceAccounts, and its public half; no certificate */
};

/* names: DNS names and addresses of the API server, NULL-terminated; the server certificate is made again when they
 * change. */
int pki_ensure(struct pki *p, const char *dir, const char *const *names, struct err *err);
/* What pki_ensure does, once more: what is near its end by now is made again. 1: something was. */
int pki_renew(const struct pki *p, struct err *err);
int pki_ca_days(const struct pki *p); /* that the CA has left */
void pki_done(struct pki *p);
/* An agent's pair, DIR/nodes/NODE.crt and .key (paths returned, the caller frees): O=system:nodes, CN=system:node:NAME,
 * client and server auth, with the addresses (a comma between). */
int pki_ensure_node(const struct pki *p, const char *node, const char *ips, char **ret_cert, char **ret_key,
                    struct err *err);
#define KUBECONFIG_ENTRY "c8s"
/* Merges cluster, user and context `c8s` into the kubeconfig at path (made 0600 if missing; other entries are kept;
 * becomes the current context). */
int kubeconfig_write(const char *path, const char *server_url, const struct pki *p, struct err *err);
/* Takes the entries out again, if they are still ours (same CA). */
void kubeconfig_remove(const char *path, const struct pki *p);
