# Says with how many servers this one would begin an ensemble, to whoever connects; ends when its claim has a membership.
# In Perl, because bash cannot listen; both are in every image of Debian's and Ubuntu's family.
use strict;
use warnings;
use Socket qw(:DEFAULT IPPROTO_IPV6 IPV6_V6ONLY IN6ADDR_ANY pack_sockaddr_in6);

my ($port, $founders, $config) = @ARGV;

sub opened {    # FAMILY ADDRESS: a listening socket
    my ($family, $address) = @_;
    socket(my $door, $family, SOCK_STREAM, 0) or return;
    setsockopt($door, SOL_SOCKET, SO_REUSEADDR, 1);
    if ($family == AF_INET6) { setsockopt($door, IPPROTO_IPV6, IPV6_V6ONLY, 0) }
    return bind($door, $address) && listen($door, 16) ? $door : undef;
}

my $door = opened(AF_INET6, pack_sockaddr_in6($port, IN6ADDR_ANY)) // opened(AF_INET, sockaddr_in($port, INADDR_ANY))
  // die "cannot listen on port $port: $!\n";
local $SIG{PIPE} = 'IGNORE';
while (1) {
    my ($peer, $waiting) = (undef, q());
    vec($waiting, fileno($door), 1) = 1;
    my $asked = select($waiting, undef, undef, 2) > 0 && accept($peer, $door);
    # What a quorum has not taken yet ZooKeeper calls .dynamic.next: others may have to be told still.
    last if grep { /\.[0-9a-f]+$/ } glob("$config.dynamic.*");
    if (!$asked) { select(undef, undef, undef, 0.1); next }    # nobody, or a connection that is gone again
    if (open(my $file, '<', $founders)) { syswrite($peer, join('', <$file>)) }
    close($peer);
}
