package correlate

import (
	"strings"
	"time"
)

// usualFor is the `for:` of rules in the kubernetes and node mixins and of the kinds of rules that
// people write after them, for alerts whose rule is not known. The first row whose phrase is in the
// alert's name (as words) counts; names are compared whole first.
var usualForName = map[string]time.Duration{
	"kubepodnotready": 15 * time.Minute, "kubepodcrashlooping": 15 * time.Minute,
	"kubedeploymentreplicasmismatch": 15 * time.Minute, "kubestatefulsetreplicasmismatch": 15 * time.Minute,
	"kubedeploymentrolloutstuck": 15 * time.Minute, "kubestatefulsetupdatenotrolledout": 15 * time.Minute,
	"kubedaemonsetrolloutstuck": 15 * time.Minute, "kubedaemonsetmisscheduled": 15 * time.Minute, "kubedaemonsetnotscheduled": 10 * time.Minute,
	"kubedeploymentgenerationmismatch": 15 * time.Minute, "kubestatefulsetgenerationmismatch": 15 * time.Minute,
	"kubecontainerwaiting": time.Hour, "kubejobfailed": 15 * time.Minute, "kubejobnotcompleted": 0,
	"kubehpareplicasmismatch": 15 * time.Minute, "kubehpamaxedout": 15 * time.Minute, "kubepdbnotenoughhealthypods": 15 * time.Minute,
	"kubecpuovercommit": 10 * time.Minute, "kubememoryovercommit": 10 * time.Minute,
	"kubequotaalmostfull": 15 * time.Minute, "kubequotafullyused": 15 * time.Minute, "kubequotaexceeded": 15 * time.Minute,
	"cputhrottlinghigh": 15 * time.Minute, "kubepersistentvolumefillingup": time.Minute,
	"kubepersistentvolumeinodesfillingup": time.Minute, "kubepersistentvolumeerrors": 5 * time.Minute,
	"kubeversionmismatch": 15 * time.Minute, "kubeclienterrors": 15 * time.Minute,
	"kubeapierrorbudgetburn": 2 * time.Minute, "kubeapidown": 15 * time.Minute, "kubeapiterminatedrequests": 5 * time.Minute,
	"kubeaggregatedapidown": 5 * time.Minute, "kubeaggregatedapierrors": 10 * time.Minute,
	"kubenodenotready": 15 * time.Minute, "kubenodeunreachable": 15 * time.Minute, "kubenodepressure": 10 * time.Minute,
	"kubenodeeviction": 0, "kubenodereadinessflapping": 15 * time.Minute, "kubeletdown": 15 * time.Minute,
	"kubelettoomanypods": 15 * time.Minute, "kubeletplegdurationhigh": 5 * time.Minute, "kubeletpodstartuplatencyhigh": 15 * time.Minute,
	"kubeschedulerdown": 15 * time.Minute, "kubecontrollermanagerdown": 15 * time.Minute, "kubeproxydown": 15 * time.Minute,
	"targetdown": 10 * time.Minute, "watchdog": 0, "infoinhibitor": 0,
	"nodefilesystemspacefillingup": time.Hour, "nodefilesystemalmostoutofspace": 30 * time.Minute,
	"nodefilesystemfilesfillingup": time.Hour, "nodefilesystemalmostoutoffiles": time.Hour,
	"nodenetworkreceiveerrs": time.Hour, "nodenetworktransmiterrs": time.Hour, "nodehighnumberconntrackentriesused": 0,
	"nodetextfilecollectorscrapeerror": 0, "nodeclockskewdetected": 10 * time.Minute, "nodeclocknotsynchronising": 10 * time.Minute,
	"noderaiddegraded": 15 * time.Minute, "noderaiddiskfailure": 0, "nodefiledescriptorlimit": 15 * time.Minute,
	"nodecpuhighusage": 15 * time.Minute, "nodesystemsaturation": 15 * time.Minute, "nodememorymajorpagesfaults": 15 * time.Minute,
	"nodememoryhighutilization": 15 * time.Minute, "nodediskiosaturation": 30 * time.Minute, "nodesystemdservicefailed": 5 * time.Minute,
	"nodesystemdservicecrashlooping": 0, "nodebondingdegraded": 5 * time.Minute, "nodenetworkinterfaceflapping": 2 * time.Minute,
	"prometheusduplicatetimestamps": 10 * time.Minute, "prometheusoutofordertimestamps": 10 * time.Minute,
	"prometheusbadconfig": 10 * time.Minute, "prometheustargetsyncfailure": 5 * time.Minute,
	"corednsdown": 15 * time.Minute, "corednslatencyhigh": 10 * time.Minute, "corednserrorshigh": 10 * time.Minute, "corednsforwarderrorshigh": 10 * time.Minute,
	"oomkilled": 0, "kubecontaineroomkiller": 0,
}

// usualForWords is for names that are not in the mixins.
var usualForWords = []struct {
	phrase string
	d      time.Duration
}{
	{" burn slow ", 15 * time.Minute},
	{" slow burn ", 15 * time.Minute},
	{" latency ", 5 * time.Minute},
	{" slow ", 5 * time.Minute},
	{" duration ", 5 * time.Minute},
	{" replicas mismatch ", 15 * time.Minute},
	{" crash looping ", 15 * time.Minute},
	{" not ready ", 15 * time.Minute},
	{" throttling ", 15 * time.Minute},
}

// defaultFor is for everything else.
const defaultFor = 2 * time.Minute

// usualFor guesses the `for:` of a rule from the name of its alert.
func usualFor(alertname string) time.Duration {
	if d, ok := usualForName[strings.ToLower(alertname)]; ok {
		return d
	}
	w := words(alertname)
	for _, row := range usualForWords {
		if strings.Contains(w, row.phrase) {
			return row.d
		}
	}
	return defaultFor
}
