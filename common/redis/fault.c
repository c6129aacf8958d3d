/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error reply means.  The table is exhaustive for what redis-server 7 and 8 and Valkey answer
 * to the commands that we send, alone, under Sentinel and as a Cluster; a word that is not in it is
 * treated as a bug: the partition parks and says what it was told.
 */
#include "redis.h"

static const struct {
    const char *word; /* how the reply begins, up to a blank or the end */
    enum redis_fault fault;
    const char *help;
} table[] = {
    {"CONFLICT", REDIS_FAULT_CONFLICT,
     "the partition was claimed by another process, or went back"},
    {"NOMETA", REDIS_FAULT_NOMETA,
     "state lost: restore a backup of Redis, or rebuild the partition by command"},

    {"LOADING", REDIS_FAULT_HOLD, "redis-server is reading its files"},
    {"BUSY", REDIS_FAULT_HOLD, "a script is running too long"},
    {"OOM", REDIS_FAULT_HOLD, "maxmemory is reached: give it more"},
    {"MISCONF", REDIS_FAULT_HOLD, "redis-server cannot write its files: look at its log and disk"},
    {"NOREPLICAS", REDIS_FAULT_HOLD, "not enough replicas for min-replicas-to-write"},
    {"CLUSTERDOWN", REDIS_FAULT_HOLD, "the cluster has no majority or no owner for the slot"},
    {"MASTERDOWN", REDIS_FAULT_HOLD, "a replica has lost its primary"},
    {"TRYAGAIN", REDIS_FAULT_HOLD, "the slot is migrating"},
    {"INPROG", REDIS_FAULT_HOLD, "a failover is under way"},
    {"UNBLOCKED", REDIS_FAULT_HOLD, "the server became a replica"},

    {"READONLY", REDIS_FAULT_ELSEWHERE, "it is a replica: name the primary"},
    {"MOVED", REDIS_FAULT_ELSEWHERE,
     "it is a cluster node and the slot is another's: clusters are not supported yet"},
    {"ASK", REDIS_FAULT_ELSEWHERE,
     "it is a cluster node and the slot is leaving it: clusters are not supported yet"},

    {"NOAUTH", REDIS_FAULT_SETUP, "a password is needed (redis-password)"},
    {"WRONGPASS", REDIS_FAULT_SETUP, "wrong user or password (redis-user, redis-password)"},
    {"NOPERM", REDIS_FAULT_SETUP, "the user lacks rights: common/redis/README.md has the list"},
    {"NOSCRIPT", REDIS_FAULT_SETUP, "the library is not loaded: run `rouse init`"},
    {"NOPROTO", REDIS_FAULT_SETUP, "the server does not speak RESP2"},
    {"DENIED", REDIS_FAULT_SETUP, "protected mode: set a password or bind an address"},

    {"WRONGTYPE", REDIS_FAULT_BUG, "a key of the home slot has another type: somebody wrote to it"},
    {"CROSSSLOT", REDIS_FAULT_BUG, "keys of two slots in one call"},
    {"EXECABORT", REDIS_FAULT_BUG, "a transaction was refused"},
    {"NOTBUSY", REDIS_FAULT_BUG, "no script is running"},
    {"UNKILLABLE", REDIS_FAULT_BUG, "a script cannot be killed"},
    {"BUSYKEY", REDIS_FAULT_BUG, "the key exists"},
    {"NOGOODSLAVE", REDIS_FAULT_BUG, "not a command of ours"},
    {"ERR", REDIS_FAULT_BUG, "redis-server does not accept the command"},
};

/* ERR says it in words only. */
static const struct {
    const char *begins;
    enum redis_fault fault;
    const char *help;
} words[] = {
    {"ERR Function not found", REDIS_FAULT_SETUP, "the library is not loaded: run `rouse init`"},
    {"ERR The user executing the script", REDIS_FAULT_SETUP,
     "the user lacks rights: common/redis/README.md has the list"},
    {"ERR unknown command", REDIS_FAULT_SETUP, "redis-server 7.0 or newer is needed"},
    {"ERR invalid password", REDIS_FAULT_SETUP, "wrong password (redis-password)"},
    {"ERR AUTH", REDIS_FAULT_SETUP, "the server has no password: leave out redis-password"},
    {"ERR Client sent AUTH", REDIS_FAULT_SETUP, "the server has no password"},
    {"ERR max number of clients", REDIS_FAULT_HOLD, "maxclients is reached"},
};

enum redis_fault redis_fault(struct str error, const char **help)
{
    for (size_t i = 0; i < BASE_LEN(words); i++) {
        if (str_starts(error, words[i].begins)) {
            *help = words[i].help;
            return words[i].fault;
        }
    }
    size_t n = 0;
    while (n < error.n && error.p[n] != ' ')
        n++;
    if (n > 0 && error.p[0] == '-') /* some scripts keep the dash */
        return redis_fault((struct str){error.p + 1, error.n - 1}, help);
    for (size_t i = 0; i < BASE_LEN(table); i++) {
        if (str_eqc((struct str){error.p, n}, table[i].word)) {
            *help = table[i].help;
            return table[i].fault;
        }
    }
    *help = "an error reply that is not in the table";
    return REDIS_FAULT_BUG;
}

const char *redis_fault_name(enum redis_fault f)
{
    static const char *const names[] = {
        [REDIS_FAULT_NONE] = "none",
        [REDIS_FAULT_CONFLICT] = "conflict",
        [REDIS_FAULT_NOMETA] = "nometa",
        [REDIS_FAULT_HOLD] = "hold",
        [REDIS_FAULT_ELSEWHERE] = "elsewhere",
        [REDIS_FAULT_SETUP] = "setup",
        [REDIS_FAULT_BUG] = "bug",
    };
    return names[f];
}
