/* Memory for JSON trees. A pod is some five hundred pieces of less than 200 bytes that come and go together, which is
 * more than malloc keeps at hand for a thread: it would join the pieces to larger ones and take those apart again, a
 * third of what a write costs. Here they wait on lists by size. */
#pragma once

/* From now on; to be called before the first document is made. */
void json_use_pool(void);
