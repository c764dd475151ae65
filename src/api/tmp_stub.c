#include "api/api.h"
int gg_api_start(const struct gg_site_api *options, struct gg_error *e){(void)options;(void)e;return 0;}
void gg_api_stop(void){}
