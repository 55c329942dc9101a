// Package notify speaks with Alertmanager: it keeps Tidemark's incidents and heartbeat alive there, and
// reads back which alerts are still active.
//
// Alertmanager forgets an alert that is not repeated, and does not tell a webhook about silenced or
// inhibited ones. So incidents are posted again and again, to every peer, and active alerts are asked for.
package notify
