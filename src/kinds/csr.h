/* What the readers of CertificateSigningRequests share. */
#pragma once
#include <jansson.h>
#include <stdbool.h>

#define CSR_SIGNER_CLIENT "kubernetes.io/kube-apiserver-client"
#define CSR_SIGNER_NODE_CLIENT "kubernetes.io/kube-apiserver-client-kubelet"
#define CSR_SIGNER_NODE_SERVING "kubernetes.io/kubelet-serving"

bool csr_has_condition(const json_t *csr, const char *type); /* Approved, Denied, Failed; whatever its status */
