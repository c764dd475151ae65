/* SPDX-License-Identifier: Apache-2.0 */
/* The file docs/demo.yaml, as it stands there. */
#include "app/demo.h"

__asm__(".section .rodata\n"
	".global gg_demo_config\n"
	"gg_demo_config:\n"
	".incbin \"" GG_DEMO_CONFIG "\"\n"
	".byte 0\n"
	".previous\n");
