/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librdkafka's error codes, by what the caller must do about them.  What is not in the table is
 * ERR_AGAIN when librdkafka calls it retriable and ERR_FATAL otherwise.
 */
#include "kafka_priv.h"

#define E(name) RD_KAFKA_RESP_ERR_##name

static const struct {
    rd_kafka_resp_err_t e;
    enum err_kind kind;
    const char *code;
} table[] = {
    {E(_QUEUE_FULL), ERR_AGAIN, "queue_full"},
    {E(_TIMED_OUT), ERR_AGAIN, "timeout"},
    {E(_TIMED_OUT_QUEUE), ERR_AGAIN, "timeout"},
    {E(_MSG_TIMED_OUT), ERR_AGAIN, "timeout"},
    {E(_TRANSPORT), ERR_AGAIN, "broker_away"},
    {E(_ALL_BROKERS_DOWN), ERR_AGAIN, "broker_away"},
    {E(_RESOLVE), ERR_AGAIN, "broker_away"},
    {E(_WAIT_COORD), ERR_AGAIN, "broker_busy"},
    {E(_WAIT_CACHE), ERR_AGAIN, "broker_busy"},
    {E(_IN_PROGRESS), ERR_AGAIN, "broker_busy"},
    {E(_PURGE_QUEUE), ERR_AGAIN, "purged"},
    {E(_PURGE_INFLIGHT), ERR_AGAIN, "purged"},
    {E(LEADER_NOT_AVAILABLE), ERR_AGAIN, "broker_busy"},
    {E(NOT_LEADER_FOR_PARTITION), ERR_AGAIN, "broker_busy"},
    {E(REQUEST_TIMED_OUT), ERR_AGAIN, "timeout"},
    {E(BROKER_NOT_AVAILABLE), ERR_AGAIN, "broker_away"},
    {E(COORDINATOR_LOAD_IN_PROGRESS), ERR_AGAIN, "broker_busy"},
    {E(COORDINATOR_NOT_AVAILABLE), ERR_AGAIN, "broker_busy"},
    {E(NOT_COORDINATOR), ERR_AGAIN, "broker_busy"},
    {E(NOT_CONTROLLER), ERR_AGAIN, "broker_busy"},
    {E(NOT_ENOUGH_REPLICAS), ERR_AGAIN, "broker_busy"},
    {E(NOT_ENOUGH_REPLICAS_AFTER_APPEND), ERR_AGAIN, "broker_busy"},
    {E(NETWORK_EXCEPTION), ERR_AGAIN, "broker_away"},
    {E(ILLEGAL_GENERATION), ERR_AGAIN, "rebalance"},
    {E(UNKNOWN_MEMBER_ID), ERR_AGAIN, "rebalance"},
    {E(REBALANCE_IN_PROGRESS), ERR_AGAIN, "rebalance"},
    {E(_MAX_POLL_EXCEEDED), ERR_AGAIN, "rebalance"},
    {E(_ASSIGNMENT_LOST), ERR_AGAIN, "rebalance"},
    {E(UNKNOWN_TOPIC_OR_PART), ERR_INPUT, "unknown_topic"},
    {E(_UNKNOWN_TOPIC), ERR_INPUT, "unknown_topic"},
    {E(_UNKNOWN_PARTITION), ERR_INPUT, "unknown_topic"},
    {E(MSG_SIZE_TOO_LARGE), ERR_INPUT, "too_large"},
    {E(RECORD_LIST_TOO_LARGE), ERR_INPUT, "too_large"},
    {E(INVALID_TIMESTAMP), ERR_INPUT, "bad_timestamp"},
    {E(_AUTO_OFFSET_RESET), ERR_FATAL, "out_of_range"},
    {E(OFFSET_OUT_OF_RANGE), ERR_FATAL, "out_of_range"},
    {E(_BAD_MSG), ERR_FATAL, "bad_batch"},
    {E(_BAD_COMPRESSION), ERR_FATAL, "bad_batch"},
    {E(INVALID_MSG), ERR_FATAL, "bad_batch"},
    {E(INVALID_MSG_SIZE), ERR_FATAL, "bad_batch"},
    {E(TOPIC_AUTHORIZATION_FAILED), ERR_FATAL, "unauthorized"},
    {E(GROUP_AUTHORIZATION_FAILED), ERR_FATAL, "unauthorized"},
    {E(CLUSTER_AUTHORIZATION_FAILED), ERR_FATAL, "unauthorized"},
    {E(SASL_AUTHENTICATION_FAILED), ERR_FATAL, "unauthorized"},
    {E(_AUTHENTICATION), ERR_FATAL, "unauthorized"},
    {E(_SSL), ERR_FATAL, "unauthorized"},
    {E(_UNSUPPORTED_FEATURE), ERR_FATAL, "unsupported"},
    {E(UNSUPPORTED_VERSION), ERR_FATAL, "unsupported"},
    {E(_FATAL), ERR_FATAL, "fatal"},
};

int kafka_err(struct err *err, rd_kafka_resp_err_t e, const char *what, const char *detail)
{
    const char *text = detail && *detail ? detail : rd_kafka_err2str(e);

    for (size_t i = 0; i < BASE_LEN(table); i++) {
        if (table[i].e == e)
            return err_code(err, table[i].kind, table[i].code, "%s: %s", what, text);
    }
    return err_code(err, ERR_FATAL, "kafka", "%s: %s (%s)", what, text, rd_kafka_err2name(e));
}

int kafka_err_obj(struct err *err, rd_kafka_error_t *e, const char *what)
{
    if (rd_kafka_error_is_retriable(e))
        err_code(err, ERR_AGAIN, "broker_busy", "%s: %s", what, rd_kafka_error_string(e));
    else
        kafka_err(err, rd_kafka_error_code(e), what, rd_kafka_error_string(e));
    rd_kafka_error_destroy(e);
    return -1;
}
