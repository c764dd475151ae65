/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion detect`: the streaming detector over recorded files of timestamp,value. Each row is copied as it
 * stands, followed by anomaly_score; what was found is told in words. A row whose value is no number is
 * passed over by the detector, as a sample of bad quality would be; a row that is no row at all is an error
 * with its line.
 */
#include "app/cli.h"
#include "base/clock.h"
#include "base/json.h"
#include "pipeline/detector.h"

#include <math.h>
#include <sys/stat.h>

enum { LINE_BYTES = 4096, FOUND_SHOWN = 10 };

struct job {
	const struct gg_args *args;
	const char *path, *name, *out_dir;
	FILE *in, *out;
	struct gg_detector detector;
	struct gg_json_writer *json;
	size_t rows, unusable, found, time_column, value_column;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The i-th comma-separated cell, without blanks and quotes around it. */
static struct gg_str cell(struct gg_str line, size_t i)
{
	struct gg_str part = gg_str_cut(&line, ',');
	while (i-- > 0)
		part = gg_str_cut(&line, ',');
	part = gg_str_trim(part);
	if (part.len >= 2 && part.p[0] == '"' && part.p[part.len - 1] == '"')
		part = gg_str_n(part.p + 1, part.len - 2);
	return part;
}

static int read_header(struct job *j, char *line)
{
	struct gg_str header = gg_str_trim(gg_str(line)), rest = header;
	bool time = false, value = false;
	for (size_t i = 0; rest.len; i++) {
		struct gg_str name = cell(header, i);
		gg_str_cut(&rest, ',');
		if (gg_str_is(name, "timestamp") || gg_str_is(name, "time")) {
			j->time_column = i;
			time = true;
		} else if (gg_str_is(name, "value")) {
			j->value_column = i;
			value = true;
		}
	}
	if (!time || !value)
		return gg_cli_failed(j->args,
			"%s:1: expected a header with timestamp and value, got \"%.*s\"", j->path,
			(int)gg_min_size(header.len, 80), header.p);
	fprintf(j->out, "%.*s,anomaly_score\n", GG_STR_ARG(header));
	return 0;
}

static void tell(struct job *j, struct gg_str time, const struct gg_detector_out *out)
{
	char text[160];
	gg_change_text(&out->change, text, sizeof text);
	j->found++;
	if (j->args->json) {
		gg_json_begin_object(j->json);
		gg_json_put_str(j->json, "time", time);
		gg_json_put_float(j->json, "score", (double)out->score);
		gg_json_put_str(j->json, "kind", gg_str(gg_change_name(out->change.kind)));
		gg_json_put_str(j->json, "text", gg_str(text));
		gg_json_end_object(j->json);
	} else if (!j->args->quiet && j->found <= FOUND_SHOWN) {
		printf("  %-20.*s %.2f  %s\n", GG_STR_ARG(time), (double)out->score, text);
	}
}

static int read_row(struct job *j, char *line)
{
	struct gg_str row = gg_str_trim(gg_str(line));
	struct gg_str time = cell(row, j->time_column), number = cell(row, j->value_column);
	struct gg_detector_out out = {0};
	double value = NAN;
	if (row.len == 0)
		return 0;
	j->rows++;
	if (time.len == 0)
		return gg_cli_failed(j->args, "%s:%zu: expected timestamp,value, got \"%.*s\"", j->path,
			j->rows + 1, (int)gg_min_size(row.len, 80), row.p);
	if (gg_parse_float(number, &value) < 0 || !isfinite(value)) {
		value = NAN;
		j->unusable++;
	}
	gg_detector_step(&j->detector, value, &out);
	if (out.score > 0)
		tell(j, time, &out);
	fprintf(j->out, "%.*s,%.9g\n", GG_STR_ARG(row), (double)out.score);
	return 0;
}

static int read_file(struct job *j)
{
	char line[LINE_BYTES];
	int rc = 0;
	size_t lines = 0;
	gg_detector_init(&j->detector);
	while (rc == 0 && fgets(line, sizeof line, j->in)) {
		if (!strchr(line, '\n') && !feof(j->in))
			return gg_cli_failed(j->args, "%s:%zu: a line of more than %d bytes", j->path,
				lines + 1, LINE_BYTES);
		rc = lines++ == 0 ? read_header(j, line) : read_row(j, line);
	}
	if (rc == 0 && ferror(j->in))
		return gg_cli_failed(j->args, "%s: %s", j->path, strerror(errno));
	if (rc == 0 && lines == 0)
		return gg_cli_failed(j->args,
			"%s: the file is empty; expected a header with timestamp and value", j->path);
	return rc;
}

static int open_files(struct job *j)
{
	char out_path[4096];
	struct stat in_stat, out_stat;
	snprintf(out_path, sizeof out_path, "%s/%s", j->out_dir, j->name);
	j->in = fopen(j->path, "r");
	if (!j->in)
		return gg_cli_failed(j->args, "%s: %s", j->path, strerror(errno));
	if (stat(out_path, &out_stat) == 0 && fstat(fileno(j->in), &in_stat) == 0 &&
		in_stat.st_ino == out_stat.st_ino && in_stat.st_dev == out_stat.st_dev)
		return gg_cli_failed(
			j->args, "%s: the result would overwrite the input; give another --out", j->path);
	j->out = fopen(out_path, "w");
	return j->out ? 0 : gg_cli_failed(j->args, "%s: %s", out_path, strerror(errno));
}

static int detect_file(struct job *j)
{
	int rc = open_files(j);
	if (rc == 0 && j->args->json) {
		gg_json_begin_object(j->json);
		gg_json_put_str(j->json, "file", gg_str(j->path));
		gg_json_key(j->json, GG_STR("anomalies"));
		gg_json_begin_array(j->json);
	} else if (rc == 0 && !j->args->quiet) {
		printf("%s\n", j->path);
	}
	if (rc == 0)
		rc = read_file(j);
	if (rc == 0 && j->args->json) {
		gg_json_end_array(j->json);
		gg_json_put_int(j->json, "rows", (int64_t)j->rows);
		gg_json_put_int(j->json, "unusable", (int64_t)j->unusable);
		gg_json_end_object(j->json);
	} else if (rc == 0 && !j->args->quiet) {
		if (j->found > FOUND_SHOWN)
			printf("  ... and %zu more\n", j->found - FOUND_SHOWN);
		printf("  %zu rows, %zu anomalies%s -> %s/%s\n", j->rows, j->found,
			j->unusable ? ", some values were no numbers" : "", j->out_dir, j->name);
	}
	if (j->in)
		fclose(j->in);
	if (j->out && fclose(j->out) != 0 && rc == 0)
		rc = gg_cli_failed(j->args, "%s/%s: %s", j->out_dir, j->name, strerror(errno));
	return rc;
}

static int check_names(const struct gg_args *args)
{
	for (size_t i = 0; i < args->word_count; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(base_name(args->words[i]), base_name(args->words[k])) == 0)
				return gg_cli_wrong(args,
					"%s and %s would both be written to %s; run them one by one",
					args->words[k], args->words[i], base_name(args->words[i]));
	return 0;
}

int gg_cmd_detect(const struct gg_args *args)
{
	const char *out_dir = gg_arg(args, "out");
	struct gg_buf json_text GG_CLEANUP(gg_buf_done) = GG_BUF(256U << 20);
	struct gg_json_writer json = gg_json_writer(&json_text);
	if (!out_dir || args->word_count == 0)
		return gg_cli_wrong(
			args, out_dir ? "name the files to read" : "say with --out DIR where the results go");
	int rc = check_names(args);
	if (rc)
		return rc;
	if (mkdir(out_dir, 0777) < 0 && errno != EEXIST)
		return gg_cli_failed(args, "%s: %s", out_dir, strerror(errno));
	gg_json_begin_array(&json);
	for (size_t i = 0; i < args->word_count && rc == 0; i++) {
		struct job *j = calloc(1, sizeof *j);
		if (!j)
			return gg_cli_failed(args, "out of memory");
		j->args = args;
		j->path = args->words[i];
		j->name = base_name(args->words[i]);
		j->out_dir = out_dir;
		j->json = &json;
		rc = detect_file(j);
		free(j);
	}
	gg_json_end_array(&json);
	if (rc == 0 && args->json)
		printf("%s\n", gg_buf_text(&json_text));
	return rc;
}
