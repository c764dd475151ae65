/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, in the order `ganglion help` lists them. */
#include "app/client.h"
#include "app/unseal.h"

static const struct gg_flag detect_flags[] = {
	{"out", GG_FLAG_TEXT, "DIR", "where the results go (made if missing)"}, {0}};

static const struct gg_flag run_flags[] = {
	{"config", GG_FLAG_TEXT, "FILE", "the configuration (default: built-in defaults)"},
	{"data", GG_FLAG_TEXT, "DIR", "where journal, history and catalog lie (default: ganglion-data)"},
	{0}};

static const struct gg_flag query_flags[] = {GG_CLIENT_FLAGS, GG_UNSEAL_FLAGS,
	{"csv", GG_FLAG_SWITCH, NULL, "print CSV"},
	{"plot", GG_FLAG_SWITCH, NULL, "draw a chart: rows with a time and numbers"},
	{"limit", GG_FLAG_TEXT, "N", "at most so many rows (default: 10000; --csv, --json: all)"},
	{"schema", GG_FLAG_SWITCH, NULL, "show tables, columns and functions"}, {0}};

static const struct gg_flag export_flags[] = {GG_CLIENT_FLAGS, GG_UNSEAL_FLAGS,
	{"select", GG_FLAG_TEXT, "PATTERN",
		"signals, with commas between: 'boiler/*,mill/speed' (default: all)"},
	{"from", GG_FLAG_TEXT, "TIME", "from then on (default: all there is)"},
	{"to", GG_FLAG_TEXT, "TIME", "until then (default: all there is)"},
	{"format", GG_FLAG_TEXT, "F", "csv, jsonl or parquet (default: as the file's name ends, or csv)"},
	{"out", GG_FLAG_TEXT, "FILE", "where it goes (default: standard output)"}, {0}};

static const struct gg_flag backup_flags[] = {GG_CLIENT_FLAGS, GG_UNSEAL_FLAGS, {0}};

static const struct gg_flag restore_flags[] = {
	{"data", GG_FLAG_TEXT, "DIR", "the folder it goes into: empty, or not there yet"}, {0}};

static const struct gg_flag signal_flags[] = {GG_CLIENT_FLAGS,
	{"watch", GG_FLAG_SWITCH, NULL, "list, get: draw anew every second"},
	{"from", GG_FLAG_TEXT, "TIME", "history: from then (default: -1h)"},
	{"to", GG_FLAG_TEXT, "TIME", "history: until then (default: now)"},
	{"plot", GG_FLAG_SWITCH, NULL, "history: draw a chart"},
	{"csv", GG_FLAG_SWITCH, NULL, "history: print CSV"}, {0}};

static const struct gg_flag device_flags[] = {GG_CLIENT_FLAGS,
	{"watch", GG_FLAG_SWITCH, NULL, "list: draw anew every second"},
	{"password", GG_FLAG_SWITCH, NULL, "add: ask for a password (on a pipe: read a line)"},
	{"password-file", GG_FLAG_TEXT, "FILE", "add: the password is its first line"},
	{"scram", GG_FLAG_SWITCH, NULL, "add: it may log in with SCRAM-SHA-256 as well (MQTT 5.0)"},
	{"token", GG_FLAG_SWITCH, NULL, "add: give it a token in place of a password"},
	{"certificate", GG_FLAG_SWITCH, NULL, "add: it shows a client certificate with its id as name"},
	{"application", GG_FLAG_SWITCH, NULL, "add: it may use all topics, not only its own"}, {0}};

static const struct gg_flag event_flags[] = {GG_CLIENT_FLAGS,
	{"open", GG_FLAG_SWITCH, NULL, "list: those that have not cleared"},
	{"severity", GG_FLAG_TEXT, "S", "list: at least info, warning or critical"},
	{"kind", GG_FLAG_TEXT, "KIND", "list: of this kind, such as rule or anomaly"},
	{"device", GG_FLAG_TEXT, "ID", "list: about this device"},
	{"since", GG_FLAG_TEXT, "TIME", "list: opened from then on (--from says the same)"},
	{"from", GG_FLAG_TEXT, "TIME", NULL}, {"to", GG_FLAG_TEXT, "TIME", "list: opened before then"},
	{"before", GG_FLAG_TEXT, "ID", "list: older than this event: the next page"},
	{"limit", GG_FLAG_TEXT, "N", "list: at most so many (default: 100)"},
	{"all", GG_FLAG_SWITCH, NULL, "list: all pages there are"},
	{"watch", GG_FLAG_SWITCH, NULL, "list: tell each change as it comes"}, {0}};

static const struct gg_flag key_flags[] = {GG_CLIENT_FLAGS,
	{"role", GG_FLAG_TEXT, "ROLE", "create: viewer, operator or administrator"},
	{"title", GG_FLAG_TEXT, "TEXT", "create: what it is for"},
	{"expires", GG_FLAG_TEXT, "WHEN", "create: a time, or how long it lives, like 90d"}, {0}};

static const struct gg_flag config_flags[] = {GG_CLIENT_FLAGS, GG_UNSEAL_FLAGS,
	{"out", GG_FLAG_TEXT, "DIR", "reference: write all pages there"}, {0}};

static const struct gg_flag replay_flags[] = {GG_DATA_FLAG, GG_UNSEAL_FLAGS,
	{"config", GG_FLAG_TEXT, "FILE", "the configuration to try (default: the one in force)"},
	{"revision", GG_FLAG_TEXT, "N", "one that was in force, as 'ganglion config history' lists them"},
	{"from", GG_FLAG_TEXT, "TIME", "compare from then on (default: all there is)"},
	{"to", GG_FLAG_TEXT, "TIME", "compare until then (default: all there is)"},
	{"check", GG_FLAG_SWITCH, NULL, "exit with 1 when anything differs"}, {0}};

static const struct gg_flag doctor_flags[] = {GG_DATA_FLAG, GG_UNSEAL_FLAGS,
	{"config", GG_FLAG_TEXT, "FILE",
		"the configuration (default: ganglion.yaml, here or in /etc/ganglion)"},
	{0}};

static const struct gg_flag vault_flags[] = {GG_DATA_FLAG, GG_UNSEAL_FLAGS,
	{"config", GG_FLAG_TEXT, "FILE", "rewrap: the way that its 'encryption' names"},
	{"new-key-file", GG_FLAG_TEXT, "FILE", "rewrap: by this file of 32 to 4096 random bytes"},
	{"new-passphrase", GG_FLAG_SWITCH, NULL, "rewrap: by a passphrase (asked; on a pipe: a line)"},
	{"new-passphrase-file", GG_FLAG_TEXT, "FILE", "rewrap: by the passphrase in this file's first line"},
	{"new-tpm", GG_FLAG_TEXT, "TPM", "rewrap: by a TPM 2.0: auto, or device:/dev/tpmrm0"},
	{"pcrs", GG_FLAG_TEXT, "N,N", "rewrap: registers that must stay as they are now: 7"},
	{"keep", GG_FLAG_SWITCH, NULL, "rewrap: the old ways stay, too"}, {0}};

#define TIMES "A TIME is 2026-03-01, 2026-03-01T12:00:00Z, now, today, yesterday, or how long ago: -1h, -2d."

static const struct gg_flag demo_flags[] = {
	{"data", GG_FLAG_TEXT, "DIR", "where everything of the demo lies (default: site-data)"},
	{"site", GG_FLAG_TEXT, "PATH", "the pump hall's program (default: ganglion-site beside this one)"},
	{"speed", GG_FLAG_TEXT, "N", "times faster than recorded (default 3000)"}, {0}};

static const struct gg_flag history_flags[] = {GG_CLIENT_FLAGS,
	{"select", GG_FLAG_TEXT, "PATTERN", "signals, with commas between: 'badge-17/*'"},
	{"from", GG_FLAG_TEXT, "TIME", "from then on (default: all there is)"},
	{"to", GG_FLAG_TEXT, "TIME", "until then (default: all there is)"},
	{"yes", GG_FLAG_SWITCH, NULL, "do not ask"}, {0}};

const struct gg_command gg_commands[] = {
	{.name = "run",
		.summary = "Run the gateway",
		.usage = "[--config FILE] [--data DIR]",
		.details = "Ends in order on SIGTERM or Ctrl-C; SIGHUP reads the configuration again.",
		.examples = "  ganglion run\n"
			    "  ganglion run --config /etc/ganglion/ganglion.yaml --data /var/lib/ganglion",
		.flags = run_flags,
		.run = gg_cmd_run},
	{.name = "demo",
		.summary = "Run the gateway with a pump hall to watch",
		.usage = "[--data DIR]",
		.details =
			"Makes a configuration, certificates and passwords in DIR, starts a pump hall that "
			"speaks\n"
			"Modbus and MQTT, and runs the gateway. The next start goes on where this one ends.",
		.examples = "  ganglion demo\n"
			    "  ganglion demo --data /tmp/hall --speed 6000",
		.flags = demo_flags,
		.run = gg_cmd_demo},
	{.name = "check",
		.summary = "Check a configuration; every mistake with its place",
		.usage = "[FILE]",
		.details = "Reads FILE (default: ganglion.yaml) and conf.d/*.yaml beside it, and starts "
			   "nothing.",
		.examples = "  ganglion check\n"
			    "  ganglion check --json /etc/ganglion/ganglion.yaml",
		.run = gg_cmd_check},
	{.name = "detect",
		.summary = "Find what is unusual in recorded series, without any setting",
		.usage = "--out DIR FILE.csv...",
		.details = "Reads files of timestamp,value and writes the same rows to DIR, under the same "
			   "name, with an\n"
			   "anomaly_score: 0 where nothing is to be told, else a number above 0.5. A summary "
			   "of what was\n"
			   "found, in words, goes to the terminal.",
		.examples = "  ganglion detect --out results machine_temperature.csv\n"
			    "  ganglion detect --json --out results *.csv",
		.flags = detect_flags,
		.run = gg_cmd_detect},
	{.name = "signal",
		.summary = "Last values, writing to devices, the past as a table or chart",
		.usage = "[list [PATTERN] | get NAME | write NAME VALUE | history NAME]",
		.details = "A pattern has * for any text: 'boiler/*'. " TIMES,
		.examples = "  ganglion signal\n"
			    "  ganglion signal list 'boiler/*' --watch\n"
			    "  ganglion signal write boiler/burner off\n"
			    "  ganglion signal history boiler/temperature --from -2h --plot",
		.flags = signal_flags,
		.run = gg_cmd_signal},
	{.name = "history",
		.summary = "Delete what was recorded of some signals, for good",
		.usage = "delete --select PATTERN [--from TIME] [--to TIME] [--yes]",
		.details = "Samples go from history and journal with what was summed up of them, and their "
			   "bytes are\noverwritten. Events, and what went to the cloud, stay. " TIMES,
		.examples = "  ganglion history delete --select 'badge-17/*'\n"
			    "  ganglion history delete --select 'badge-*/*' --to 2026-01-01 --yes",
		.flags = history_flags,
		.run = gg_cmd_history},
	{.name = "device",
		.summary = "Devices: how they are, and who may connect",
		.usage = "[list | show ID | add ID | remove ID]",
		.details = "add registers a device or an application; without --password, --token or "
			   "--certificate a\npassword is made up and shown once.",
		.examples = "  ganglion device\n"
			    "  ganglion device add press-2\n"
			    "  ganglion device add dashboard --token --application\n"
			    "  ganglion device show press-2",
		.flags = device_flags,
		.run = gg_cmd_device},
	{.name = "event",
		.summary = "Events: which are open, and why",
		.usage = "[list | show ID | ack ID [TEXT] | comment ID TEXT]",
		.details = "show tells an event's trace: the samples, the rule, the actions and what people "
			   "said. "
			   "\n" TIMES,
		.examples = "  ganglion event list --open\n"
			    "  ganglion event list --watch --severity warning\n"
			    "  ganglion event list --all --since -7d --kind device-lost\n"
			    "  ganglion event show 1764000000000000\n"
			    "  ganglion event ack 1764000000000000 'on my way'",
		.flags = event_flags,
		.run = gg_cmd_event},
	{.name = "query",
		.summary = "SQL over samples, rollups, signals, devices and events",
		.usage = "SQL [--csv | --json | --plot] | --schema",
		.details = "Read-only. --schema lists the tables, their columns and the functions of time. "
			   "Without "
			   "a gateway\nat work the data folder itself is read. --csv and --json give rows as "
			   "they "
			   "come, as many as there are.",
		.examples = "  ganglion query \"SELECT signal, count(*), max(time) FROM samples GROUP BY "
			    "signal\"\n"
			    "  ganglion query --plot \"SELECT time, value FROM samples WHERE signal = "
			    "'boiler/temperature' AND time > ago('1h')\"\n"
			    "  ganglion query --csv \"SELECT time, mean, max FROM rollups WHERE signal LIKE "
			    "'boiler/%' AND width = '1h'\"",
		.flags = query_flags,
		.run = gg_cmd_query},
	{.name = "export",
		.summary = "Samples of many signals as CSV, JSON lines or Parquet",
		.usage = "[--select PATTERN] [--from TIME] [--to TIME] [--format F] [--out FILE]",
		.details =
			"Signal by signal, each by time. Without a gateway at work the data folder itself is "
			"read.\n" TIMES,
		.examples = "  ganglion export --select 'boiler/*' --from -1d --out boiler.parquet\n"
			    "  ganglion export --from yesterday --to today --format jsonl",
		.flags = export_flags,
		.run = gg_cmd_export},
	{.name = "backup",
		.summary = "All that a gateway needs to go on elsewhere, in one file",
		.usage = "FILE | DIR",
		.details =
			"Works beside a gateway at work and needs no room on its disk. It is a tar archive, "
			"compressed\nwith zstd, with journal, history, catalog, configurations and the API's "
			"certificate as they were at one\nmoment. Keep it as safe as the data folder: hashes "
			"of "
			"passwords and the certificate's key are in it.",
		.examples = "  ganglion backup /mnt/usb\n"
			    "  ganglion backup - | ssh store 'cat > hall-3.tar.zst'",
		.flags = backup_flags,
		.run = gg_cmd_backup},
	{.name = "restore",
		.summary = "Put a backup into an empty folder",
		.usage = "FILE --data DIR",
		.details = "Checks all of the backup before it writes anything.",
		.examples = "  ganglion restore ganglion-20260301T120000Z.tar.zst --data /var/lib/ganglion",
		.flags = restore_flags,
		.run = gg_cmd_restore},
	{.name = "replay",
		.summary = "What another configuration would have made of what was recorded",
		.usage = "[--config FILE | --revision N] [--from TIME] [--to TIME] [--data DIR]",
		.details = "Runs the journal's input through the pipelines and rules of a configuration, "
			   "without "
			   "any effect,\nand tells which events it would have opened and which derived "
			   "signals differ "
			   "from what happened.\nWith the configuration in force nothing differs. Works "
			   "beside a gateway "
			   "at work.\n" TIMES,
		.examples = "  ganglion replay --from -1h\n"
			    "  ganglion replay --revision 3 --from yesterday --to today\n"
			    "  ganglion replay --config ganglion.yaml --from yesterday --json",
		.flags = replay_flags,
		.run = gg_cmd_replay},
	{.name = "config",
		.summary = "The configuration in force: show, change, go back; its reference",
		.usage = "[show [N] | diff FILE | apply FILE | history | rollback N | schema | reference "
			 "[COMPONENT]]",
		.details = "apply changes all or nothing: if anything is wrong, the one in force stays.",
		.examples = "  ganglion config show\n"
			    "  ganglion config diff ganglion.yaml\n"
			    "  ganglion config apply ganglion.yaml\n"
			    "  ganglion config rollback 3\n"
			    "  ganglion config reference modbus",
		.flags = config_flags,
		.run = gg_cmd_config},
	{.name = "key",
		.summary = "Tokens of the API: who may do what",
		.usage = "[list | create --role ROLE | revoke ID]",
		.details = "Roles: a viewer reads; an operator also acknowledges and writes to devices; an "
			   "administrator may do\neverything. A token is shown once, when it is made.",
		.examples = "  ganglion key create --role viewer --title 'wall display' --expires 90d\n"
			    "  ganglion key list",
		.flags = key_flags,
		.run = gg_cmd_key},
	{.name = "vault",
		.summary = "What opens a sealed data folder: show it, change it",
		.usage = "[status | rewrap | add-recovery | remove SLOT]",
		.details = "The data are sealed by one key, which lies in the folder wrapped, once in each "
			   "slot: by a "
			   "key file, a\npassphrase, the machine's TPM or a recovery key. rewrap adds a slot "
			   "and then "
			   "takes the old ones away;\nadd-recovery makes a key for the drawer and shows it "
			   "once. The "
			   "gateway may be at work.\nTo open what the configuration no longer opens, rewrap "
			   "with the "
			   "recovery key.",
		.examples = "  ganglion vault --data /var/lib/ganglion\n"
			    "  ganglion vault add-recovery --data /var/lib/ganglion\n"
			    "  ganglion vault rewrap --new-tpm auto --pcrs 7\n"
			    "  ganglion vault rewrap --config /etc/ganglion/ganglion.yaml --passphrase-file "
			    "old.txt",
		.flags = vault_flags,
		.run = gg_cmd_vault},
	{.name = "doctor",
		.summary = "Find what is wrong with this box and its configuration",
		.usage = "[--config FILE] [--data DIR]",
		.details = "Looks at clock, limits, data folder, its encryption, disk, journal, ports, "
			   "files, certificates, "
			   "and at "
			   "what the\ngateway at work says of its devices; tells how to mend what it finds. "
			   "Exit "
			   "status 1 when\nanything is wrong.",
		.examples = "  ganglion doctor\n"
			    "  ganglion doctor --json",
		.flags = doctor_flags,
		.run = gg_cmd_doctor},
	{.name = "completion",
		.summary = "Print what a shell needs to complete these commands",
		.usage = "[bash | zsh | fish]",
		.details = "The Debian package brings it along.",
		.examples =
			"  ganglion completion bash > ~/.local/share/bash-completion/completions/ganglion\n"
			"  ganglion completion fish > ~/.config/fish/completions/ganglion.fish",
		.run = gg_cmd_completion},
	{.name = "version",
		.summary = "Say which Ganglion this is",
		.usage = "",
		.examples = "  ganglion version",
		.run = gg_cmd_version},
	{.name = "help",
		.summary = "List the commands, or explain one",
		.usage = "[COMMAND]",
		.examples = "  ganglion help detect",
		.run = gg_cmd_help},
	{0}};
