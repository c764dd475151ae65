/* SPDX-License-Identifier: Apache-2.0 */
/* The actions write and publish, with a host that keeps what they start. */
#include "check.h"

#include "actions/publish/publish.h"
#include "actions/write/write.h"
#include "base/buf.h"
#include "core/signals.h"

struct gg_call {
	int status;
	unsigned done;
	char text[300];
};

struct gg_host {
	int nothing;
};

static struct gg_write *writes[8];
static struct gg_publish *published;
static unsigned write_count;
static int refuse;

void gg_call_done(struct gg_call *call, int status, const char *text)
{
	call->status = status;
	call->done++;
	gg_str_copy(call->text, sizeof call->text, gg_str(text));
}

struct gg_loop *gg_host_loop(const struct gg_host *h)
{
	(void)h;
	return NULL;
}

int gg_write_start(struct gg_write *w)
{
	if (refuse)
		return refuse;
	writes[write_count++] = w;
	return 0;
}

int gg_publish_start(struct gg_publish *p)
{
	published = p;
	return refuse;
}

struct target {
	const char *signal, *value;
};

static struct gg_host host;

static void *make(const struct gg_component *c, void *first, size_t len, const char *option)
{
	struct gg_error e = {0};
	void *self = calloc(1, c->self_size);
	for (const struct gg_option *o = c->options; o->name; o++)
		if (strcmp(o->name, option) == 0)
			memcpy((char *)self + o->offset, first, len);
	if (c->init(self, &host, &e) < 0)
		fail_msg("%s", e.text);
	write_count = 0;
	refuse = 0;
	published = NULL;
	return self;
}

static struct gg_trigger trigger(void)
{
	return (struct gg_trigger){.rule = GG_STR("hot"),
		.title = GG_STR("It is hot"),
		.signal = gg_signal_find(GG_STR("press-2/temperature")),
		.sample = {.type = GG_TYPE_FLOAT, .v.f = 96.5},
		.binding = GG_STR("2"),
		.event = 9};
}

static void writes_values_as_the_signals_want_them(void **state)
{
	(void)state;
	struct target t[] = {{"press-$1/burner", "off"}, {"press-2/limit", "= {value} * 2 + 1"},
		{"press-2/text", "{device} {value}"}, {"press-2/steps", "42"}};
	struct gg_many many = {t, GG_COUNT(t)};
	void *self = make(&gg_action_write, &many, sizeof many, "values");
	struct gg_call call = {0};
	struct gg_trigger by = trigger();
	assert_int_equal(gg_action_write.action->run(self, &by, &call, NULL), 0);
	assert_int_equal(write_count, 4);
	assert_int_equal(writes[0]->value.type, GG_TYPE_BOOL);
	assert_false(writes[0]->value.v.b);
	assert_true(writes[1]->value.v.f == 194);
	check_str(writes[2]->text, "press-2 96.5");
	assert_int_equal(writes[3]->value.v.i, 42);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(call.done, 0);
		writes[i]->done(writes[i], i == 1 ? -EIO : 0, i == 1 ? "no answer" : NULL);
	}
	assert_int_equal(call.done, 1);
	assert_int_equal(call.status, -EIO);
	assert_string_equal(call.text, "press-2/limit: no answer");
	free(self);
}

static void says_what_it_can_not_write(void **state)
{
	(void)state;
	static const struct {
		struct target t;
		int code;
		const char *words;
	} cases[] = {{{"press-9/burner", "off"}, -ENOENT, "no signal 'press-9/burner'"},
		{{"press-2/burner", "perhaps"}, -EINVAL, "no value for a bool"},
		{{"press-2/steps", "1e30"}, -ERANGE, "no value for a int"},
		{{"press-2/limit", "= {title}"}, -EINVAL, "press-2/limit"}};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct target t = cases[i].t;
		struct gg_many many = {&t, 1};
		void *self = make(&gg_action_write, &many, sizeof many, "values");
		struct gg_call call = {0};
		struct gg_error e = {0};
		struct gg_trigger by = trigger();
		assert_int_equal(gg_action_write.action->run(self, &by, &call, &e), cases[i].code);
		if (!strstr(e.text, cases[i].words))
			fail_msg("%s", e.text);
		assert_int_equal(call.done, 0);
		free(self);
	}
	struct target t = {"press-2/burner", "on"};
	struct gg_many many = {&t, 1};
	void *self = make(&gg_action_write, &many, sizeof many, "values");
	struct gg_call call = {0};
	struct gg_trigger by = trigger();
	refuse = -EPERM;
	assert_int_equal(gg_action_write.action->run(self, &by, &call, NULL), 0);
	assert_string_equal(call.text, "press-2/burner: it is not writable");
	free(self);
}

static void a_wrong_formula_keeps_back_its_own_write_only(void **state)
{
	(void)state;
	struct target t[] = {{"press-2/burner", "off"}, {"press-2/limit", "= {value} *"},
		{"press-9/gone", "1"}, {"press-2/steps", "= {value} - 0.5"}};
	struct gg_many many = {t, GG_COUNT(t)};
	void *self = make(&gg_action_write, &many, sizeof many, "values");
	struct gg_call call = {0};
	struct gg_trigger by = trigger();
	assert_int_equal(gg_action_write.action->run(self, &by, &call, NULL), 0);
	assert_int_equal(write_count, 2);
	assert_int_equal(writes[0]->value.type, GG_TYPE_BOOL);
	assert_int_equal(writes[1]->value.v.i, 96);
	writes[0]->done(writes[0], 0, NULL);
	assert_int_equal(call.done, 0);
	writes[1]->done(writes[1], -EIO, "no answer");
	assert_int_equal(call.done, 1);
	assert_int_equal(call.status, -EINVAL);
	assert_non_null(strstr(call.text, "press-2/limit: "));
	assert_non_null(strstr(call.text, "; there is no signal 'press-9/gone'"));
	assert_non_null(strstr(call.text, "; press-2/steps: no answer"));
	assert_null(strstr(call.text, "burner"));
	free(self);
}

static void publishes_by_template_or_as_json(void **state)
{
	(void)state;
	const char *topic = "alarms/$1/{rule}";
	void *self = make(&gg_action_publish, &topic, sizeof topic, "topic");
	struct gg_call call = {0};
	struct gg_trigger by = trigger();
	assert_int_equal(gg_action_publish.action->run(self, &by, &call, NULL), 0);
	check_str(published->topic, "alarms/2/hot");
	assert_non_null(strstr(published->payload.p, "\"signal\":\"press-2/temperature\",\"value\":96.5"));
	published->done(published, 0, NULL);
	assert_int_equal(call.done, 1);
	by.binding = GG_STR("#");
	struct gg_error e = {0};
	assert_int_equal(gg_action_publish.action->run(self, &by, &call, &e), -EINVAL);
	assert_non_null(strstr(e.text, "alarms/#/hot"));
	free(self);
}

static int setup(void **state)
{
	static const struct {
		const char *name;
		uint8_t type;
	} signals[] = {{"press-2/temperature", GG_TYPE_FLOAT}, {"press-2/burner", GG_TYPE_BOOL},
		{"press-2/limit", GG_TYPE_FLOAT}, {"press-2/text", GG_TYPE_STRING},
		{"press-2/steps", GG_TYPE_INT}};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(signals); i++) {
		struct gg_signal_spec spec = {.type = signals[i].type};
		uint32_t index;
		assert_int_equal(gg_signal_make_full(gg_str(signals[i].name), &spec, &index), 0);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(writes_values_as_the_signals_want_them),
		TEST(says_what_it_can_not_write),
		TEST(a_wrong_formula_keeps_back_its_own_write_only),
		TEST(publishes_by_template_or_as_json),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
