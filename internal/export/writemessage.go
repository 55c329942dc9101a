package export

import (
	"net/http"
	"strconv"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// WriteMessage selects the message of remote write.
type WriteMessage string

// MessageAuto sends 2.0 and falls back to 1.0 when the receiver does not know it; the others are the names that
// Prometheus has for them (protobuf_message).
const (
	MessageAuto WriteMessage = "auto"
	MessageV1   WriteMessage = "prometheus.WriteRequest"
	MessageV2   WriteMessage = "io.prometheus.write.v2.Request"
)

// encode makes the body of a request and its headers.
func encode(batch []prompb.TimeSeries, v2 bool) (body []byte, header map[string]string, err error) {
	header = map[string]string{
		"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
		"X-Prometheus-Remote-Write-Version": "0.1.0", "User-Agent": "Tidemark",
	}
	var raw []byte
	if v2 {
		header["Content-Type"] = "application/x-protobuf;proto=" + string(MessageV2)
		header["X-Prometheus-Remote-Write-Version"] = "2.0.0"
		raw, err = requestV2(batch).Marshal()
	} else {
		raw, err = (&prompb.WriteRequest{Timeseries: batch}).Marshal()
	}
	return snappy.Encode(nil, raw), header, err
}

// requestV2 is a batch as io.prometheus.write.v2.Request: each string once, all series gauges.
func requestV2(batch []prompb.TimeSeries) *writev2.Request {
	symbols := writev2.NewSymbolTable()
	req := &writev2.Request{Timeseries: make([]writev2.TimeSeries, len(batch))}
	for i, ts := range batch {
		out := &req.Timeseries[i]
		out.LabelsRefs = make([]uint32, 0, 2*len(ts.Labels))
		for _, l := range ts.Labels {
			out.LabelsRefs = append(out.LabelsRefs, symbols.Symbolize(l.Name), symbols.Symbolize(l.Value))
		}
		out.Metadata.Type = writev2.Metadata_METRIC_TYPE_GAUGE
		for _, s := range ts.Samples {
			out.Samples = append(out.Samples, writev2.Sample{Timestamp: s.Timestamp, Value: s.Value})
		}
	}
	req.Symbols = symbols.Symbols()
	return req
}

// knowsV2 says whether an answer to 2.0 is of a receiver that understood it. One that does not know 2.0 refuses its content
// type (415); one that does not look at it finds no series in the message, takes it, and does not say how many samples
// it wrote, which the specification demands.
func knowsV2(res *http.Response) bool {
	if res.StatusCode == http.StatusUnsupportedMediaType {
		return false
	}
	if res.StatusCode/100 != 2 {
		return true // Something else is wrong.
	}
	n, err := strconv.Atoi(res.Header.Get("X-Prometheus-Remote-Write-Samples-Written"))
	return err == nil && n > 0
}
