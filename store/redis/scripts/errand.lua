-- Reads all that one try of telling a hook needs, of several at once.
--
-- KEYS  1 policy   then of each   delivery:R:P   hook:T/H   environment:N   request:R   head:deploys:T
-- ARGV  none
-- Answer  { number of the policy set, { delivery, its version, receiver, its version, environment, request, slots }, ... }: false where there is none

local answer = { redis.call('HGET', KEYS[1], 'version') }
for at = 2, #KEYS, 5 do
  local delivery = redis.call('HMGET', KEYS[at], 'body', 'version')
  local receiver = redis.call('HMGET', KEYS[at + 1], 'body', 'version')
  answer[#answer + 1] = {
    delivery[1], delivery[2], receiver[1], receiver[2], redis.call('HGET', KEYS[at + 2], 'body'),
    redis.call('HGET', KEYS[at + 3], 'body'), redis.call('HGET', KEYS[at + 4], 'body'),
  }
end
return answer
