// SPDX-License-Identifier: GPL-2.0
/*
 * chainsetup monitor: the events of jobs, as they come.
 *
 * They are read from the kernel's own uevents, so that it matters neither
 * whether udevd runs nor what its rules do.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "uevent.h"

#define KERNEL_GROUP	1		/* the other one is udevd's */
#define RECEIVE_BUFFER	(4 * 1024 * 1024)

/**
 * struct monitor - one run of "monitor"
 * @name: of the device, NULL = all chain devices
 * @devno: of that device
 * @json: print JSON
 * @count: end after so many events, 0 = never
 * @seen: events printed
 * @uevents: netlink socket
 * @signals: what ends it
 */
struct monitor {
	const char *name;
	char devno[32];
	bool json;
	u64 count;
	u64 seen;
	int uevents;
	int signals;
};

static int uevents_open(struct dm_chain_why *why)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP
	};
	int size = RECEIVE_BUFFER, err;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	/* With less room bursts of other devices' uevents may drop ours. */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd >= 0 &&
	    !bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = errno;
	if (fd >= 0)
		close(fd);
	return dm_chain_refuse(why, -err, "uevents: %s", strerror(err));
}

/* As in ISO 8601, local time, to the millisecond. */
static const char *time_text(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	char zone[8];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, size - n, ".%03ld%s", now.tv_nsec / 1000000, zone);
	return text;
}

/* A dm device by its number. */
struct known_device {
	struct known_device *next;
	char devno[32];
	char name[256];
};

static struct known_device *find_known(const char *devno)
{
	static struct known_device *known;
	struct known_device *device;

	for (device = known; device; device = device->next)
		if (!strcmp(device->devno, devno))
			return device;
	device = xalloc(1, sizeof(*device));
	snprintf(device->devno, sizeof(device->devno), "%s", devno);
	snprintf(device->name, sizeof(device->name), "%s", devno);
	device->next = known;
	known = device;
	return device;
}

/*
 * The dm name of a device. If it is gone already, the name that it had at its
 * last event; its number if that is not known either.
 */
static const char *device_name(const char *devno)
{
	struct known_device *device = find_known(devno);
	char name[256], *path;

	path = xasprintf("/sys/dev/block/%s/dm/name", devno);
	if (read_line(path, name, sizeof(name)))
		memcpy(device->name, name, sizeof(device->name));
	free(path);
	return device->name;
}

static void show_event(struct monitor *monitor, const struct uevent *event)
{
	const char *name = monitor->name ?: device_name(event->devno);
	char time[48], *text;

	time_text(time, sizeof(time));
	if (monitor->json) {
		text = uevent_json(event, time, name);
		puts(text);
	} else {
		text = uevent_text(event, time, name);
		say("%s", text);
	}
	free(text);
	monitor->seen++;
}

static bool is_done(const struct monitor *monitor)
{
	return monitor->count && monitor->seen == monitor->count;
}

/**
 * receive() - look at everything that has arrived
 *
 * Return: 0 if more is to come, 1 if that was all: as many events as were asked
 * for, or the device is gone. A negative errno else.
 */
static int receive(struct monitor *monitor, struct dm_chain_why *why)
{
	static struct uevent event;
	static char message[16 * 1024];

	for (;;) {
		struct sockaddr_nl from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		n = recvfrom(monitor->uevents, message, sizeof(message), 0,
			     (struct sockaddr *)&from, &from_len);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == ENOBUFS) {
			complain("events were lost: \"chainsetup jobs\" shows what there is now");
			continue;
		}
		if (n < 0)
			return dm_chain_refuse(why, -errno, "uevents: %s",
					       strerror(errno));
		/* Other processes may send here, too. */
		if (from.nl_pid)
			continue;
		uevent_parse(&event, message, n);
		if (event.kind == UEVENT_OTHER ||
		    (monitor->name && strcmp(event.devno, monitor->devno)))
			continue;
		if (event.kind == UEVENT_JOB)
			show_event(monitor, &event);
		else if (monitor->name)
			return 1;
		if (is_done(monitor))
			return 1;
	}
}

static int monitor_loop(struct monitor *monitor, struct dm_chain_why *why)
{
	struct pollfd fds[] = {
		{ .fd = monitor->uevents, .events = POLLIN },
		{ .fd = monitor->signals, .events = POLLIN },
	};
	int ret = 0;

	/* Nobody gets what cannot be printed: main() says so. */
	while (!ret && !ferror(stdout)) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return dm_chain_refuse(why, -errno, "poll: %s",
					       strerror(errno));
		ret = receive(monitor, why);
		if (fds[1].revents)
			break;
	}
	if (ret < 0 || !monitor->count || is_done(monitor) || ferror(stdout))
		return ret < 0 ? ret : 0;
	return dm_chain_refuse(why, -EINTR, "%llu of %llu events, then %s",
			       monitor->seen, monitor->count,
			       ret ? "the device was removed" : "a signal");
}

/* The socket first: whoever sees the device sees its events from then on. */
static int monitor_open(struct monitor *monitor, struct dm_chain_why *why)
{
	struct live live;
	int ret;

	ret = uevents_open(why);
	if (ret < 0)
		return ret;
	monitor->uevents = ret;
	if (!monitor->name)
		return 0;
	ret = live_open(&live, monitor->name, why);
	if (!ret)
		snprintf(monitor->devno, sizeof(monitor->devno), "%u:%u",
			 live.major, live.minor);
	live_close(&live);
	return ret;
}

int cmd_monitor(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "count", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 }
	};
	struct monitor monitor = { .uevents = -1 };
	struct dm_chain_why why = { "" };
	char *end;
	int c, ret;

	while ((c = next_option(argc, argv, options)) != -1) {
		if (c == '?')
			return 1;
		if (c == 'j') {
			monitor.json = true;
			continue;
		}
		errno = 0;
		monitor.count = strtoull(optarg, &end, 10);
		if (optarg[0] < '0' || optarg[0] > '9' || *end || errno ||
		    !monitor.count)
			return complain("monitor: --count %s is not a number of events",
					optarg);
	}
	if (!operands_ok(argc, argv, 0, 1))
		return 1;
	if (optind < argc)
		monitor.name = argv[optind];

	monitor.signals = hold_interrupts();
	ret = target_available(&why);
	if (!ret)
		ret = monitor_open(&monitor, &why);
	if (!ret) {
		setvbuf(stdout, NULL, _IOLBF, 0);
		/* So that a script knows when to begin what it watches. */
		fprintf(stderr, "monitoring %s\n",
			monitor.name ?: "all chain devices");
		ret = monitor_loop(&monitor, &why);
	}
	if (monitor.uevents >= 0)
		close(monitor.uevents);
	return ret ? complain_why(&why) : 0;
}
