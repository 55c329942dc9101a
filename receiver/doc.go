// Package receiver takes in what others send by HTTP: Alertmanager webhooks, Loki pushes, OTLP traces,
// change events and the samples of remote write.
//
// Each message passes the same steps, in this order: method, size, content type, bounded decoding,
// validation, durable append, 2xx, delivery to a sink. A message that got its 2xx is on disk; one that
// cannot be kept gets 503, never 429 from the webhook, because Alertmanager retries 5xx only. After a
// restart, Receiver.Decode feeds the kept messages to the same sinks. Samples are the exception: Prometheus has
// them, so they are delivered without the log.
package receiver
