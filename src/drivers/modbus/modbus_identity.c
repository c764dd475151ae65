/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who made the device: function 43/14, asked once whenever the device has come back, behind everything else
 * and without repetition. First the basic objects (vendor, product, revision), which also tell how much more
 * there is; then the regular and the extended ones. A device that does not know the function says so, and
 * that is all.
 */
#include "base/log.h"
#include "drivers/modbus/modbus_device.h"

enum { REQUESTS_MAX = 24, TEXT_MAX = 246, EXTENDED = 0x80 };

static const char *const names[] = {
	"vendor", "product", "revision", "url", "product_name", "model", "application"};

/* Text of devices is in no known encoding: what is not printable ASCII becomes '?'. */
static void tell(struct gg_modbus_device *d, uint8_t id, struct gg_str text)
{
	char name[16], clean[TEXT_MAX];
	size_t n = 0;
	if (id < GG_COUNT(names))
		snprintf(name, sizeof name, "%s", names[id]);
	else
		snprintf(name, sizeof name, "object_%u", id);
	text = gg_str_trim(text);
	for (; n < text.len && n + 1 < sizeof clean; n++)
		clean[n] = text.p[n] >= ' ' && text.p[n] < 0x7f ? text.p[n] : '?';
	clean[n] = '\0';
	d->ops->property(d->arg, d->o.index, name, clean);
	if (id == 0 || id == 1)
		gg_log(GG_INFO, d->o.who, "device identifies itself", GG_S("device", d->o.name),
			GG_S(name, clean));
}

static void ask(struct gg_modbus_device *d, uint8_t access, uint8_t object);

/* What is still to be asked for; false: nothing. */
static bool ask_on(struct gg_modbus_device *d, const struct gg_modbus_answer *a)
{
	static const uint8_t first[] = {0, 0, 3, EXTENDED};
	uint8_t access = d->identity.job.request.access, more = gg_modbus_identity_more(a);
	if (++d->identity.requests >= REQUESTS_MAX)
		return false;
	if (more > d->identity.job.request.object) { /* else it goes round in circles */
		ask(d, access, more);
		return true;
	}
	if (access >= gg_modbus_identity_level(a))
		return false;
	ask(d, (uint8_t)(access + 1), first[access + 1]);
	return true;
}

static void identity_done(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a)
{
	struct gg_modbus_device *d = GG_CONTAINER(job, struct gg_modbus_device, identity.job);
	d->identity.busy = false;
	if (status != 0 || a->exception)
		return;
	struct gg_str text;
	size_t at = 0;
	uint8_t id;
	while (gg_modbus_identity(a, &at, &id, &text))
		tell(d, id, text);
	(void)ask_on(d, a);
}

static void ask(struct gg_modbus_device *d, uint8_t access, uint8_t object)
{
	d->identity.job = (struct gg_modbus_job){.done = identity_done,
		.owner = d,
		.request = {.unit = d->o.unit,
			.function = GG_MODBUS_IDENTIFY,
			.access = access,
			.object = object}};
	d->identity.busy = gg_modbus_line_submit(d->line, &d->identity.job) == 0;
}

void gg_modbus_device_identify(struct gg_modbus_device *d)
{
	if (!d->o.identify || d->o.broadcast || d->identity.busy)
		return;
	d->identity.requests = 0;
	ask(d, 1, 0);
}
