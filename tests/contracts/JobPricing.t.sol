// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {FeeQuote, IJobManager, Job, JobSpec, JobTerms, Payment} from "marketplace/src/IJobManager.sol";
import {FeeTerms} from "registry/src/IModelRegistry.sol";
import {FeeSpecification} from "tests/contracts/support/FeeSpecification.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice The reverse Dutch auction, the split of a price and the collateral, against their definitions.
contract JobPricingTest is JobTest, FeeSpecification {
    function testFuzz_proverFeeAt__any_offer_and_time__is_on_the_line(
        uint80 low,
        uint80 high,
        uint32 ramp,
        uint256 elapsed
    ) external {
        JobSpec memory spec = jobSpec(modelId);
        spec.minProverFee = uint80(within(low, 1, type(uint80).max / 4));
        spec.maxProverFee = uint80(within(high, spec.minProverFee, type(uint80).max / 4));
        spec.rampSeconds = uint32(within(ramp, 0, 30 days));
        spec.deadline = START + 30 days;
        spec.maxTotal = type(uint80).max;
        fund(requester, spec.maxTotal);
        bytes32 jobId = openAs(requester, spec);
        elapsed = within(elapsed, 0, 31 days);
        vm.assertEq(
            manager.proverFeeAt(jobId, START + elapsed),
            slowOffer(spec.minProverFee, spec.maxProverFee, spec.rampSeconds, elapsed),
            "offer"
        );
        vm.assertEq(
            manager.proverFeeAt(jobId, START - 1),
            spec.rampSeconds == 0 ? spec.maxProverFee : spec.minProverFee,
            "before it opened"
        );
        vm.assertEq(manager.proverFeeAt(jobId, type(uint256).max), spec.maxProverFee, "at the end of time");
    }

    function testFuzz_I6_claim__any_time_within_the_job__price_of_that_moment_and_the_rest_back(uint256 elapsed)
        external
    {
        elapsed = within(elapsed, 0, 1 hours);
        bytes32 jobId = openJob();
        vm.warp(START + elapsed);
        claimAs(prover, jobId);
        Job memory facts = manager.job(jobId);
        Payment memory expected = slowPayment(facts.quote, slowOffer(10_000_000, 50_000_000, 600, elapsed));
        vm.assertEq(abi.encode(facts.payment), abi.encode(expected), "payment");
        vm.assertEq(ledger.credits(requester), ESCROW - total(expected), "left over");
        assertStake(
            prover, STAKE - slowCollateral(total(expected), 1_000_000, 100_000), manager.collateralFor(total(expected))
        );
        // The price stays whatever the time: at a late settlement, and for whoever takes the job over.
        if (elapsed > 2390) return;
        vm.warp(START + elapsed + 601);
        reclaimAs(rival, jobId);
        vm.warp(START + elapsed + 601 + 37);
        settleBy(rival, jobId);
        vm.assertEq(ledger.credits(rival), expected.proverFee, "prover");
        vm.assertEq(ledger.incomeOf(modelId).revenue, expected.revenue, "model");
        vm.assertEq(ledger.incomeOf(modelId).platform, expected.platformAmount, "platform");
    }

    function testFuzz_I6_paymentFor__any_quote__parts_sum_and_the_model_gets_its_part_and_no_more(
        FeeQuote memory quote,
        uint80 proverFee
    ) external view {
        quote.modelFeeFloor = uint80(within(quote.modelFeeFloor, 0, type(uint80).max / 2));
        quote.modelFeePpm = uint32(within(quote.modelFeePpm, 0, 500_000));
        quote.flatFee = uint80(within(quote.flatFee, 0, type(uint80).max / 4));
        quote.platformPpm = uint32(within(quote.platformPpm, 0, 100_000));
        proverFee = uint80(within(proverFee, 0, type(uint80).max / 4));
        Payment memory payment = manager.paymentFor(quote, proverFee);
        vm.assertEq(abi.encode(payment), abi.encode(slowPayment(quote, proverFee)), "payment");
        uint256 modelFee = slowModelFee(quote, proverFee);
        vm.assertEq(total(payment), modelFee + proverFee + quote.flatFee, "the parts are the price");
    }

    function test_I6_paymentFor__one_unit_and_nothing_rounded_away() external view {
        FeeQuote memory quote = FeeQuote(0, 1, 0, 100_000);
        Payment memory payment = manager.paymentFor(quote, 1);
        vm.assertEq(abi.encode(payment), abi.encode(Payment(1, 1, 0)), "one unit to the model, none to the platform");
        quote = FeeQuote(0, 0, 0, 100_000);
        vm.assertEq(abi.encode(manager.paymentFor(quote, 1)), abi.encode(Payment(1, 0, 0)), "a model that asks nothing");
    }

    function test_quoteFor__the_owners_fee_or_the_minimum_whichever_is_more() external {
        FeeQuote memory quote = manager.quoteFor(modelId);
        vm.assertEq(abi.encode(quote), abi.encode(FeeQuote(2_000_000, 100_000, FLAT_FEE, PLATFORM_PPM)), "owner's fee");
        vm.prank(timelock);
        admin.setPlatformTerms(PlatformTerms(1, 2));
        vm.prank(publisher);
        registry.setFeeTerms(modelId, FeeTerms(9_000_000, 1_500_000, 200_000));
        quote = manager.quoteFor(modelId);
        vm.assertEq(abi.encode(quote), abi.encode(FeeQuote(9_000_000, 200_000, 2, 1)), "what stands now");
    }

    // --- collateral -----------------------------------------------------------------------------

    function testFuzz_I18_collateralFor__any_price_and_terms__rounds_up_and_fits(
        uint80 price,
        uint80 minCollateral,
        uint32 ppm
    ) external {
        JobTerms memory terms = defaultTerms();
        terms.collateralPpm = uint32(within(ppm, 0, 1_000_000));
        terms.minCollateral = minCollateral;
        vm.assume(minCollateral != 0 || terms.collateralPpm != 0);
        deployOn(address(token), terms);
        vm.assertEq(
            manager.collateralFor(price), slowCollateral(price, minCollateral, terms.collateralPpm), "collateral"
        );
    }

    function test_I18_open__greatest_price_of_its_width__escrowed_and_paid_exactly() external {
        fund(requester, type(uint80).max);
        equip(prover, type(uint80).max - STAKE);
        JobSpec memory spec = jobSpec(modelId);
        spec.maxTotal = type(uint80).max;
        // The greatest prover fee whose price still fits: nine tenths of all, less the flat fee.
        uint256 rest = uint256(type(uint80).max) * 900_000 / 1_000_000;
        spec.minProverFee = spec.maxProverFee = uint80(rest - FLAT_FEE);
        bytes32 jobId = openAs(requester, spec);
        claimAs(prover, jobId);
        Job memory facts = manager.job(jobId);
        Payment memory expected = slowPayment(facts.quote, spec.maxProverFee);
        vm.assertEq(abi.encode(facts.payment), abi.encode(expected), "payment");
        vm.assertLe(uint256(type(uint80).max) - 2, total(expected), "to the brim");
        settleBy(prover, jobId);
        vm.assertEq(ledger.credits(prover), spec.maxProverFee, "prover");
        vm.assertEq(ledger.incomeOf(modelId).revenue, expected.revenue, "model");
        spec.minProverFee = spec.maxProverFee = type(uint80).max;
        vm.expectRevert();
        openAs(requester, spec);
    }

    function test_I6_settle__model_that_asks_for_nothing__prover_and_platform_alone() external {
        TripleVerifier free = new TripleVerifier();
        uint256 freeModel = provenModel(free, "free");
        vm.mockCall(
            address(registry),
            abi.encodeCall(registry.feeTermsOf, (freeModel)),
            abi.encode(FeeTerms({modelFee: 0, minModelFee: 0, minModelFeePpm: 0}))
        );
        bytes32 jobId = openAs(requester, jobSpec(freeModel));
        claimAs(prover, jobId);
        acceptFor(free, jobId, prover);
        settleAs(prover, jobId);
        vm.assertEq(ledger.incomeOf(freeModel).revenue, 0, "model");
        vm.assertEq(ledger.incomeOf(freeModel).platform, FLAT_FEE, "platform");
        vm.assertEq(ledger.credits(prover), PROVER_FEE, "prover");
    }
}
