-- Reads all that one try of telling a hook needs.
--
-- KEYS  1 delivery:R:P   2 hook:T/H   3 environment:N   4 policy   5 request:R   6 head:deploys:T
-- ARGV  none
-- Answer  { delivery, its version, receiver, its version, environment, number of the policy set, request, slots }: false where there is none

local delivery = redis.call('HMGET', KEYS[1], 'body', 'version')
local receiver = redis.call('HMGET', KEYS[2], 'body', 'version')
return {
  delivery[1], delivery[2], receiver[1], receiver[2], redis.call('HGET', KEYS[3], 'body'),
  redis.call('HGET', KEYS[4], 'version'), redis.call('HGET', KEYS[5], 'body'), redis.call('HGET', KEYS[6], 'body'),
}
