// SPDX-License-Identifier: GPL-2.0
/* chaintorture: jobs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "torture.h"

static const char *const policies[] = {
	"", "on-error ignore", "on-error stop", "on-error enospc", "on-error auto",
};

static char *layer_name(const struct run *r, int nr)
{
	return r->layer[nr]->name;
}

static char *job_name(const struct run *r, const struct shape_job *job)
{
	if (job->options & JOB_OWN_ID)
		return ct_str("j%d", job->id);
	return ct_str("%s", layer_name(r, job->top));
}

static void start(struct run *r, const struct op *op)
{
	const struct shape_job *job = shape_job(&r->shape, op->arg[JOB_ID]);
	int top = shape_find(&r->shape, job->top);
	int base = shape_find(&r->shape, job->bottom) - 1;
	unsigned int policy = job->options / JOB_POLICY % ARRAY_SIZE(policies);
	char *name = job_name(r, job);
	char *words = ct_str("job %s", name);
	char *longer;

	if (top != (int)r->shape.nr - 1 || op->nr % 2) {
		longer = ct_str("%s top %s", words, layer_name(r, job->top));
		free(words);
		words = longer;
	}
	if (job->options & JOB_BOTTOM) {
		longer = ct_str("%s bottom %s", words,
				layer_name(r, job->bottom));
		free(words);
		words = longer;
	} else if (base >= 0) {
		longer = ct_str("%s base %s", words,
				layer_name(r, r->shape.layer[base]));
		free(words);
		words = longer;
	}
	r->copied[job->top] = true;
	free(msg(r->c, "stream %s speed %lld%s%s%s %s", words,
		 op->arg[JOB_SPEED],
		 job->options & JOB_MANUAL ? " auto-finalize off" : "",
		 job->options & JOB_KEEP ? " auto-dismiss off" : "",
		 job->options & JOB_VERIFY ? " verify on" : "",
		 policies[policy]));
	free(words);
	free(name);
}

/* Wait until a job that was cancelled is gone. */
static void wait_gone(const struct chain *c, const char *id)
{
	u64 end = ct_now_ms() + 60000;
	char *line, *status;

	while ((line = job_line(c, id))) {
		ct_check(ct_now_ms() < end, "job %s does not end: %s", id,
			 line);
		status = field(line, "status=");
		if (!strcmp(status, "concluded"))
			msg_try(c, "job %s dismiss", id);
		else
			ct_sleep_ms(1);
		free(status);
		free(line);
	}
}

static void result_is(const struct run *r, const struct shape_job *job,
		      const char *id, const char *status)
{
	char *line = last_line(r->c, layer_name(r, job->top));
	char *with = ct_str("id=%s", id), *value;

	ct_check(line, "no result of job %s", id);
	value = field(line, "status=");
	ct_check(strstr(line, with) && !strcmp(value, status),
		 "job %s ought to be %s: %s", id, status, line);
	ct_check(!strcmp(status, "cancelled") || !field_num(line, "error="),
		 "job %s: %s", id, line);
	free(value);
	free(with);
	free(line);
}

static void cancel(struct run *r, const struct shape_job *job)
{
	char *id = job_name(r, job);

	free(msg(r->c, "job %s cancel", id));
	wait_gone(r->c, id);
	result_is(r, job, id, "cancelled");
	free(id);
}

/* A verb that the job, wherever it is by now, may not allow. */
static void may_refuse(const struct run *r, const char *id, const char *verb)
{
	int err = msg_try(r->c, "job %s %s", id, verb);

	ct_check(!err || err == -EINVAL || err == -ENOENT, "job %s %s: %s", id,
		 verb, strerror(-err));
}

/**
 * job_op() - start a job, or say something to one
 * @job: as it was before the operation
 */
void job_op(struct run *r, const struct op *op, const struct shape_job *job)
{
	char *id, *verb;

	if (op->kind == OP_STREAM) {
		start(r, op);
		return;
	}
	if (op->kind == OP_CANCEL) {
		cancel(r, job);
		return;
	}
	id = job_name(r, job);
	if (op->kind >= OP_SPEED && op->kind <= OP_CEILING)
		verb = ct_str("%s %lld", op_name[op->kind], op->arg[1]);
	else
		verb = ct_str("%s", op_name[op->kind]);
	may_refuse(r, id, verb);
	free(verb);
	free(id);
}

/* Let it go on, whatever it waits for. */
static void help(const struct run *r, const char *id, const char *status)
{
	if (!strcmp(status, "paused"))
		may_refuse(r, id, "resume");
	else if (!strcmp(status, "pending"))
		may_refuse(r, id, "finalize");
	else if (!strcmp(status, "concluded"))
		may_refuse(r, id, "dismiss");
	else
		ct_sleep_ms(1);
}

static void through(const struct run *r, const char *id)
{
	u64 end = ct_now_ms() + 60000;
	char *line, *status;

	may_refuse(r, id, "set-speed 0");
	may_refuse(r, id, "set-ceiling 0");
	/* The guest does nothing more. */
	may_refuse(r, id, "set-floor 1000000000");
	while ((line = job_line(r->c, id))) {
		ct_check(ct_now_ms() < end, "job %s does not end: %s", id,
			 line);
		status = field(line, "status=");
		help(r, id, status);
		free(status);
		free(line);
	}
}

/**
 * job_end() - a job through to its end; the model follows
 * @job: as it was; its layers but the top are no longer in the shape
 */
void job_end(struct run *r, const struct shape_job *job)
{
	struct chain *c = r->c;
	char *id = job_name(r, job);
	int low = chain_find(c, layer_name(r, job->bottom));
	int top = chain_find(c, layer_name(r, job->top));
	int i;

	through(r, id);
	result_is(r, job, id, "completed");
	free(id);
	for (i = low; i < top; i++)
		table_dropped(r, c->layer[i]);
	memmove(&c->layer[low], &c->layer[top],
		(c->nr - top) * sizeof(c->layer[0]));
	c->nr -= top - low;
}
